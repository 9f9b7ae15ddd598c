package bench

import (
	"context"
	"fmt"
	"time"
	"unsafe"

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
	Limit       float64 // the machine's speed, in the unit of the basis
}

// A Basis is what a kernel is held against.
type Basis string

// What bounds a kernel: of a norm, to read each row twice and write it once;
// of a product with one row, to read the weights; of a product with many, the
// fused multiply-adds in float32. Integer kernels may exceed the last.
const (
	Copying Basis = "read, read, write (GB/s)"
	Reading Basis = "read (GB/s)"
	Adding  Basis = "multiply-add (GFLOP/s)"
)

// Speed returns the kernel's speed in the unit of its basis.
func (k *Kernel) Speed() float64 {
	amount := k.Bytes
	if k.Basis == Adding {
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
		Types: []quant.Type{quant.F32, quant.F16, quant.BF16, quant.Q8_0, quant.Q4_0, quant.Q4_1,
			quant.Q5_0, quant.Q5_1, quant.Q4_K, quant.Q5_K, quant.Q6_K},
		Cols: 2048, DecodeBytes: 128 << 20, PrefillRows: 2048, Tokens: 256,
	}
}

// Kernels measures the norms and the matrix products on every instruction set
// of this machine and hands each result to f. Nothing else may run meanwhile.
func Kernels(ctx context.Context, sizes Sizes, threads int, f func(Kernel)) error {
	pool := ops.NewPool(threads)
	defer pool.Close()
	defer ops.SelectISA("")
	ops.SelectISA("")
	b := &kernelBench{Sizes: sizes, ctx: ctx, pool: pool, emit: f, memory: make([]byte, sizes.DecodeBytes), weight: make([]byte, sizes.DecodeBytes)}
	for i := range b.memory {
		b.memory[i] = byte(i)
	}
	for _, rows := range sizes.NormRows {
		for _, width := range sizes.NormWidths {
			b.norms(width, rows)
		}
	}
	for _, t := range sizes.Types {
		b.products(t)
	}
	return ctx.Err()
}

type kernelBench struct {
	Sizes
	ctx    context.Context
	pool   *ops.Pool
	emit   func(Kernel)
	memory []byte // that is read
	weight []byte
}

// each measures call on every instruction set, in turn with limit, which
// runs on the best one.
func (b *kernelBench) each(k Kernel, amount int, limit, call func()) {
	tiers := ops.ISAs()
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
	for i, tier := range tiers {
		k.Tier, k.Time = tier, best[i]
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

func (b *kernelBench) norms(width, rows int) {
	x, dst := randomFloats(rows*width), make([]float32, rows*width)
	gain, bias := randomFloats(width), randomFloats(width)
	k := Kernel{Shape: fmt.Sprintf("%d x %d", rows, width), Threads: b.pool.Threads(), Basis: Copying, Bytes: 12 * len(x)}
	limit := func() { b.pool.Run(copying{dst, x, width}, rows, max(1, rowGrain/width)) }
	if rows == 1 {
		k.Threads = 1
		limit = func() { copying{dst, x, width}.Do(0, 0, 1) }
	}
	for _, n := range []struct {
		name string
		ops.Norm
	}{
		{"LayerNorm, gain and bias", ops.Norm{Gain: gain, Bias: bias, Eps: 1e-5, Center: true}},
		{"RMSNorm, gain", ops.Norm{Gain: gain, Eps: 1e-5}},
	} {
		k.Name = n.name
		call := func() { b.pool.Norm(dst, x, width, &n.Norm) }
		if rows == 1 {
			call = func() { n.Norm.Apply(dst, x) }
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
		ops.ReadLoop(unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x)))
		copy(t.dst[r*t.width:], x)
	}
}

func (b *kernelBench) products(t quant.Type) {
	stride, err := t.RowBytes(b.Cols)
	if err != nil {
		panic(err) // b.Cols is a multiple of every block
	}
	rows := b.DecodeBytes / stride / someRows * someRows
	b.fill(t, stride)
	matrix := func(rows int) *ops.Matrix {
		m, err := ops.NewMatrix(t, rows, b.Cols, b.weight[:rows*stride])
		if err != nil {
			panic(err)
		}
		return &m
	}
	product := func(rows, tokens int) func() {
		w, x, in := matrix(rows), randomFloats(tokens*b.Cols), new(ops.Input)
		p, forms := ops.Product{Dst: make([]float32, tokens*rows), W: w}, ops.FormsOf(false, w)
		return func() {
			b.pool.Prepare(in, x, b.Cols, forms) // the activations are quantized each time
			b.pool.MatMul(in, p)
		}
	}
	threads := b.pool.Threads()
	b.each(Kernel{Name: "matmul " + t.String(), Shape: fmt.Sprintf("%d x %d, 1 row", rows, b.Cols), Threads: threads,
		Bytes: rows * stride, Flops: 2 * rows * b.Cols, Basis: Reading},
		len(b.memory), func() { read(b.pool, b.memory) }, product(rows, 1))
	adding := adding{rounds: 1 << 16}
	flops := ops.PeakLoop(adding.rounds)
	b.each(Kernel{Name: "matmul " + t.String(), Shape: fmt.Sprintf("%d x %d, %d rows", b.PrefillRows, b.Cols, b.Tokens), Threads: threads,
		Bytes: b.PrefillRows * stride, Flops: 2 * b.PrefillRows * b.Cols * b.Tokens, Basis: Adding},
		flops*threads, func() { b.pool.Run(adding, threads, 1) }, product(b.PrefillRows, b.Tokens))
}

// someRows is how many rows of weights are made; matrices have a multiple of it.
const someRows = 16

// fill makes weights of a type: random rows, encoded once and repeated.
func (b *kernelBench) fill(t quant.Type, stride int) {
	if err := quant.Encode(b.weight[:someRows*stride], t, randomFloats(someRows*b.Cols)); err != nil {
		panic(err) // every type of DefaultSizes can be encoded
	}
	for n := someRows * stride; n < len(b.weight); n *= 2 {
		copy(b.weight[n:], b.weight[:n])
	}
}

// adding computes on registers, the same amount for each item.
type adding struct{ rounds int }

func (t adding) Do(_, lo, hi int) {
	for range hi - lo {
		ops.PeakLoop(t.rounds)
	}
}
