package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

// A Kernel is the measurement of one kernel beside the machine's own speed,
// taken in turn with it.
type Kernel struct {
	Name, Shape string
	Tier        string
	Threads     int
	Time        time.Duration // of one call, the best
	Bytes       int           // read and written at least
	Flops       int
	Basis       Basis
	Limit       float64 // the machine's speed, in the unit of the basis: a loop's, or the kernel's own where that is faster
}

// A Basis is what a kernel is held against.
type Basis string

// What bounds a kernel: of a norm, to read each row twice and write it once;
// of a product with one row, to read the weights; of a product with many, the
// multiply-adds: fused ones in float32, products of bytes, or of pairs in BF16.
const (
	Copying     Basis = "read, read, write (GB/s)"
	Reading     Basis = "read (GB/s)"
	Adding      Basis = "multiply-add (GFLOP/s)"
	AddingInts  Basis = "integer multiply-add (Gop/s)"
	AddingBF16s Basis = "BF16 multiply-add (GFLOP/s)"
)

// Speed returns the kernel's speed in the unit of its basis.
func (k *Kernel) Speed() float64 {
	amount := k.Bytes
	if k.Basis != Copying && k.Basis != Reading {
		amount = k.Flops
	}
	return float64(amount) / float64(k.Time.Nanoseconds())
}

// Sizes are the shapes that Kernels measures.
type Sizes struct {
	NormWidths, NormRows []int
	Types                []quant.Type
	Cols                 int // of every matrix
	DecodeBytes          int // of a matrix that is multiplied with one row: more than any cache holds
	PrefillRows, Tokens  int // of a matrix that is multiplied with many, and how many
}

// DefaultSizes are those of large models.
func DefaultSizes() Sizes {
	return Sizes{
		NormWidths: []int{768, 2048, 4096, 8192}, NormRows: []int{1, 256},
		Types: ops.WeightTypes(),
		Cols:  2048, DecodeBytes: 128 << 20, PrefillRows: 2048, Tokens: 256,
	}
}

// Count returns how many kernels Kernels measures, on how many instruction sets in all.
func (s Sizes) Count() int {
	n := len(s.NormRows)*len(s.NormWidths)*len(norms)*len(ops.ISAs()) + 2*len(s.Types)*len(productISAs())
	if ops.BF16() && slices.Contains(s.Types, quant.BF16) {
		n++ // on the one that has it
	}
	return n
}

// productISAs are the instruction sets that products are measured on. In plain Go they
// would take minutes: it is measured where it is in use.
func productISAs() []string {
	all := ops.ISAs()
	if ops.ISA() == all[0] {
		return all[:1]
	}
	return all[1:]
}

// Kernels measures the norms on every instruction set of this machine, and the matrix
// products on all but plain Go, unless that is in use, and hands each result to f.
// Nothing else may run meanwhile.
func Kernels(ctx context.Context, sizes Sizes, threads int, f func(Kernel)) error {
	pool := ops.NewPool(threads)
	defer pool.Close()
	defer ops.SelectISA("")
	ops.SelectISA("")
	b := &kernelBench{Sizes: sizes, ctx: ctx, pool: pool, emit: f, tiers: ops.ISAs(), weight: make([]byte, sizes.DecodeBytes)}
	for i := range b.weight {
		b.weight[i] = byte(i)
	}
	if len(b.weight) > 0 {
		b.reading = newReading(pool, b.weight)
	}
	for _, rows := range sizes.NormRows {
		for _, width := range sizes.NormWidths {
			b.norms(width, rows)
		}
	}
	b.tiers = productISAs()
	for _, t := range sizes.Types {
		if err := b.products(t); err != nil {
			return err
		}
	}
	return ctx.Err()
}

type kernelBench struct {
	Sizes
	ctx     context.Context
	pool    *ops.Pool
	emit    func(Kernel)
	tiers   []string
	weight  []byte
	reading *reading // of all of weight
}

// each measures call on the instruction sets, in turn with limit, which runs on the
// best one.
func (b *kernelBench) each(k Kernel, amount int, limit, call func()) {
	tiers := b.tiers
	best := make([]time.Duration, len(tiers)+1) // that of the limit comes last
	const rounds = 5
	for range rounds {
		for i := range best {
			if b.ctx.Err() != nil {
				return
			}
			f := limit
			ops.SelectISA("")
			if i < len(tiers) {
				f = call
				if err := ops.SelectISA(tiers[i]); err != nil {
					panic(err) // it was listed
				}
			}
			// What is slow is slow enough to be measured once.
			if best[i] > slow {
				continue
			}
			if d := fastest(f); best[i] == 0 || d < best[i] {
				best[i] = d
			}
		}
	}
	ops.SelectISA("")
	k.Limit = float64(amount) / float64(best[len(tiers)].Nanoseconds())
	limited := k.Limit
	for i, tier := range tiers {
		k.Tier, k.Time = tier, best[i]
		k.Limit = max(limited, k.Speed())
		b.emit(k)
	}
}

const (
	slow   = 200 * time.Millisecond
	budget = 10 * time.Millisecond // of one round of one kernel
)

// fastest returns the time of the fastest call within the budget, of batches
// long enough for the clock.
func fastest(f func()) time.Duration {
	const batch = 20 * time.Microsecond
	best, n := time.Duration(0), 1
	for begun := time.Now(); best == 0 || time.Since(begun) < budget; {
		start := time.Now()
		for range n {
			f()
		}
		d := time.Since(start)
		if d < batch {
			n *= 2
			continue
		}
		if d /= time.Duration(n); best == 0 || d < best {
			best = d
		}
	}
	return best
}

func randomFloats(n int) []float32 {
	r := newRandom(2)
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// norms are those that are measured: as the models have them, and RMSNorm with all that
// LayerNorm has but the mean.
var norms = []struct {
	name         string
	bias, center bool
}{
	{"LayerNorm, gain and bias", true, true},
	{"RMSNorm, gain and bias", true, false},
	{"RMSNorm, gain", false, false},
}

func (b *kernelBench) norms(width, rows int) {
	x, dst := randomFloats(rows*width), make([]float32, rows*width)
	gain, bias := randomFloats(width), randomFloats(width)
	k := Kernel{Shape: fmt.Sprintf("%d x %d", rows, width), Threads: b.pool.Threads(), Basis: Copying, Bytes: 12 * len(x)}
	limit := func() { b.pool.Run(copying{dst, x, width}, rows, max(1, rowGrain/width)) }
	if rows == 1 {
		k.Threads = 1
		limit = func() { copying{dst, x, width}.Do(0, 0, 1) }
	}
	for _, norm := range norms {
		n := ops.Norm{Gain: gain, Eps: 1e-5, Center: norm.center}
		if norm.bias {
			n.Bias = bias
		}
		k.Name = norm.name
		call := func() { b.pool.Norm(dst, x, width, &n) }
		if rows == 1 {
			call = func() { n.Apply(dst, x) }
		}
		b.each(k, k.Bytes, limit, call)
	}
}

// rowGrain is the grain that package ops uses for work on rows.
const rowGrain = 16 << 10

// copying reads rows twice and writes them once, as a norm must.
type copying struct {
	dst, x []float32
	width  int
}

func (t copying) Do(_, lo, hi int) {
	for r := lo; r < hi; r++ {
		x := t.x[r*t.width : (r+1)*t.width]
		ops.ReadLoop(0, unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x)))
		copy(t.dst[r*t.width:], x)
	}
}

func (b *kernelBench) products(t quant.Type) error {
	stride, err := t.RowBytes(b.Cols)
	if err != nil {
		return err
	}
	rows := b.DecodeBytes / stride / someRows * someRows
	if err := b.fill(t); err != nil {
		return err
	}
	matrix := func(rows int) *ops.Matrix {
		m, err := ops.NewMatrix(t, rows, b.Cols, b.weight[:rows*stride])
		if err != nil {
			panic(err)
		}
		return &m
	}
	product := func(rows, tokens int, more ops.Forms) func() {
		w, x, in := matrix(rows), randomFloats(tokens*b.Cols), new(ops.Input)
		p, forms := ops.Product{Dst: make([]float32, tokens*rows), W: w}, ops.FormsOf(false, w)|more
		return func() {
			b.pool.Prepare(in, x, b.Cols, forms) // the activations are quantized each time
			b.pool.MatMul(in, p)
		}
	}
	threads := b.pool.Threads()
	b.each(Kernel{Name: "matmul " + t.String(), Shape: fmt.Sprintf("%d x %d, 1 row", rows, b.Cols), Threads: threads,
		Bytes: rows * stride, Flops: 2 * rows * b.Cols, Basis: Reading},
		len(b.weight), func() { b.reading.run(b.pool) }, product(rows, 1, 0))
	many := Kernel{Name: "matmul " + t.String(), Shape: fmt.Sprintf("%d x %d, %d rows", b.PrefillRows, b.Cols, b.Tokens), Threads: threads,
		Bytes: b.PrefillRows * stride, Flops: 2 * b.PrefillRows * b.Cols * b.Tokens, Basis: Adding}
	peak := ops.PeakLoop
	if ops.FormsOf(false, matrix(0)) == ops.Quantized {
		many.Basis, peak = AddingInts, ops.IntPeakLoop
	}
	b.adds(many, peak, product(b.PrefillRows, b.Tokens, 0))
	if t == quant.BF16 && ops.BF16() {
		many.Name, many.Basis = "matmul BF16, activations too", AddingBF16s
		defer func(all []string) { b.tiers = all }(b.tiers)
		b.tiers = []string{ops.ISA()}
		b.adds(many, ops.BF16PeakLoop, product(b.PrefillRows, b.Tokens, ops.Tiled|ops.Halves))
	}
	return nil
}

// adds measures a kernel that is held against a loop of multiply-adds.
func (b *kernelBench) adds(k Kernel, peak func(rounds int) int, call func()) {
	const rounds = 1 << 16
	t := adding{peak, rounds}
	b.each(k, peak(rounds)*k.Threads, func() { b.pool.Run(t, k.Threads, 1) }, call)
}

// someRows is how many rows of weights are made; matrices have a multiple of it.
const someRows = 16

// fill makes weights of a type: random rows, repeated.
func (b *kernelBench) fill(t quant.Type) error {
	some, err := toy.Weights(t, someRows*b.Cols, newRandom(3))
	if err != nil {
		return err
	}
	for n := copy(b.weight, some); n < len(b.weight); n *= 2 {
		copy(b.weight[n:], b.weight[:n])
	}
	return nil
}

// adding computes on registers, the same amount for each item.
type adding struct {
	peak   func(rounds int) int
	rounds int
}

func (t adding) Do(_, lo, hi int) {
	for range hi - lo {
		t.peak(t.rounds)
	}
}
