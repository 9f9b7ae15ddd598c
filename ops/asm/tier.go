package asm

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// A tier is an instruction set that kernels may use. Tiers form a ladder: a
// higher one implies those below it, and a kernel without a version for the
// active tier uses the next lower one it has.
type tier struct {
	name      string
	available bool  // on this CPU
	use       *bool // for the kernels that are called directly
	kernels   kernels
}

// kernels is the table of a tier. A nil function is done by its definition.
type kernels struct {
	ints   [types]intKernels
	floats [types]floatKernels

	quantize     func(q *int8, scale, scaledSum *float32, sum, halfSum *int32, x *float32, groups int)
	shuffle      func(a *byte) // nil: nothing reads Paired and Transposed
	stride       func(a *byte) // nil: nothing reads Strided
	transpose    func(dst, src []uint32, stride, rows, cols int, flip uint32)
	signFlip     uint32
	tileFrom     int // see TileFrom; 0: five
	dotQ8        func(dst *float32, q *int8, scale, c *float32, rows, groups int)
	epilogue     EpilogueFunc
	epilogueRows EpilogueFunc

	gemmFloat  func(c *Tile, w []float32, stride int, a []float32, ahead []byte)
	gemmFloat2 func(c *[2 * len(Tile{})]float32, w []float32, stride int, a []float32, ahead []byte) // nil: twice gemmFloat
	addFloats  func(sum *float64, x *float32, n int)

	activations [numActivations]activationKernels
}

// active is the table in use.
var active kernels

func init() { _ = Reset() } // who calls Reset again gets the error

// EnvISA is the environment variable that caps the ladder, by a name that
// [Tiers] lists.
const EnvISA = "NORMSWAP_ISA"

// generic is the lowest tier: plain Go.
const generic = "generic"

// Tiers lists the tiers that this machine can run, lowest first. The first
// is always "generic", the last is what is used unless EnvISA names another.
func Tiers() []string {
	names := []string{generic}
	for _, t := range tiers {
		if t.available {
			names = append(names, t.name)
		}
	}
	return names
}

// Active returns the highest tier in use.
func Active() string {
	active := generic
	for _, t := range tiers {
		if *t.use {
			active = t.name
		}
	}
	return active
}

// Select caps the ladder at the named tier. It is meant for tests,
// benchmarks and program start: it must not run while kernels run.
func Select(name string) error {
	names := Tiers()
	top := -1
	for i, n := range names {
		if strings.EqualFold(n, name) {
			top = i
		}
	}
	if top < 0 {
		return fmt.Errorf("no instruction set %q on this machine, have %s", name, strings.Join(names, ", "))
	}
	active, tuned = kernels{}, nil
	clear(fastest[:])
	i := 0
	for _, t := range tiers {
		if t.available {
			i++
		}
		if *t.use = t.available && i <= top; *t.use {
			active = t.kernels
		}
	}
	return nil
}

// Reset restores the choice made at program start: the best tier, with what [Tune]
// chooses among those below it, or the one that EnvISA names. If the machine has none of that name, it selects the best
// and returns an error.
func Reset() error {
	names := Tiers()
	best := names[len(names)-1]
	name := os.Getenv(EnvISA)
	if name == "" {
		err := Select(best)
		if canFlush {
			tuned = new([types]sync.Once)
		}
		return err
	}
	err := Select(name)
	if err != nil {
		_ = Select(best) // it was listed
		return fmt.Errorf("%s: %w", EnvISA, err)
	}
	return nil
}
