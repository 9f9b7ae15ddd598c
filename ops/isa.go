package ops

import (
	"fmt"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// EnvISA is the environment variable that names the best instruction set to use,
// one of [ISAs]. With a name that the machine does not have the best is
// used, and SelectISA("") returns an error.
const EnvISA = asm.EnvISA

// ISAs returns the instruction sets that this machine can run, lowest first. The
// first is "generic", plain Go. The last is in use unless [EnvISA] names another.
func ISAs() []string { return asm.Tiers() }

// ISA returns the best instruction set in use. Operations that have nothing for
// it use the next lower one.
func ISA() string { return asm.Active() }

// RowISA returns the instruction set of the kernel that multiplies weights of type t
// with one row: the best in use, or, where nobody has named one, that which is the
// fastest for weights from memory. It is found out by measuring, once for each type,
// here or when the matrices of the type have 16 MiB together.
func RowISA(t quant.Type) string {
	asm.Tune(t)
	return asm.GemvTier(t)
}

// SelectISA makes operations use the named instruction set, in either case, and
// those below it. An empty name restores what the program started with: the best,
// or the one that [EnvISA] names. It is an error if the machine does not have it;
// an EnvISA that is wrong is an error that names it. No operation may run at the
// same time.
func SelectISA(name string) error {
	choose := func() error { return asm.Select(name) }
	if name == "" {
		choose = asm.Reset
	}
	if err := choose(); err != nil {
		return fmt.Errorf("ops: %w", err)
	}
	return nil
}

// ReadLoops is how many loops [ReadLoop] has.
const ReadLoops = asm.ReadLoops

// ReadLoop reads x, as fast as memory is read by one of the loops, and returns the sum
// of its 64-bit words. The last len(x)%512 bytes are left out. Benchmarks put
// operations that are bound by memory beside the fastest loop.
func ReadLoop(loop int, x []byte) uint64 { return asm.Read(loop, x) }

// The peak loops run rounds of multiply-adds that only the arithmetic bounds, and
// return how many operations they were, two for each product. Benchmarks put
// operations that are bound by arithmetic beside them: PeakLoop, fused multiply-adds in
// float32, IntPeakLoop, products of bytes, and BF16PeakLoop, products of pairs in BF16,
// which is 0 without [BF16].
func PeakLoop(rounds int) (flops int) {
	flops, _ = asm.Peak(rounds)
	return flops
}

// IntPeakLoop is described at [PeakLoop].
func IntPeakLoop(rounds int) (ops int) {
	ops, _ = asm.IntPeak(rounds)
	return ops
}

// BF16PeakLoop is described at [PeakLoop].
func BF16PeakLoop(rounds int) (flops int) {
	flops, _ = asm.BF16Peak(rounds)
	return flops
}
