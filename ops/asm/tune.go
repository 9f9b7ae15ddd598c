package asm

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/normswap/normswap/quant"
)

// A product with one row is bound by memory, and there a wider kernel may be slower
// than a narrower one. It depends on the type and on the processor. All kernels give
// the same bits, so that the choice is free.

// tuned holds the types whose kernel was chosen by measuring. It is nil where
// nothing is to choose: after Select, with EnvISA, and where memory cannot be taken
// out of the caches.
var tuned *[types]sync.Once

// fastest is the tier whose kernel was the fastest, for types that were measured.
// Products may be under way when that is found out.
var fastest [types]atomic.Pointer[tier]

// gemvKernels returns the table whose gemv multiplies weights of type t.
func gemvKernels(t quant.Type) *kernels {
	if tier := fastest[t].Load(); tier != nil {
		return &tier.kernels
	}
	return &active
}

// Tune has [Gemv], or [GemvFloat], use the kernel that is the fastest for weights of
// type t from memory, of those that this machine can run. That takes some
// milliseconds the first time. F32 keeps the widest: rows of it are multiplied without
// a Matrix too.
func Tune(t quant.Type) {
	if tuned != nil && t != quant.F32 && GemvTier(t) != generic {
		tuned[t].Do(func() { tune(t) })
	}
}

const (
	tuneBytes  = 1 << 20
	tuneAhead  = 64 << 10 // that kernels may fetch beyond
	tuneCols   = 2048
	tuneRounds = 16
	tuneGain   = 1.08 // that a narrower kernel must be faster by
)

func tune(t quant.Type) {
	weights := make([]byte, tuneBytes+tuneAhead)
	for i := range weights {
		weights[i] = 0x3c | byte(uint32(i)*0x9e3779b1>>20)&3 // near one, in the formats of floats
	}
	type candidate struct {
		*tier
		run  func()
		best time.Duration
	}
	var all []candidate // the widest last
	for i := range tiers {
		if tier := &tiers[i]; tier.available {
			all = append(all, candidate{tier, tier.kernels.product(t, weights), math.MaxInt64})
		}
	}
	for range tuneRounds {
		for i := range all {
			flush(weights)
			start := time.Now()
			all[i].run()
			all[i].best = min(all[i].best, time.Since(start))
		}
	}
	winner := all[len(all)-1]
	winner.best = time.Duration(float64(winner.best) / tuneGain)
	for _, c := range all {
		if c.best < winner.best {
			winner = c
		}
	}
	fastest[t].Store(winner.tier)
}

// product returns a function that multiplies weights with one row.
func (k *kernels) product(t quant.Type, weights []byte) func() {
	stride, _ := t.RowBytes(tuneCols) // a multiple of every block
	rows := tuneBytes / stride
	dst := make([]float32, rows)
	// The activations are written before they are read: memory that nobody has written may be
	// one page of zeros at many addresses, and some first-level caches miss at every change
	// from one of those to another.
	x := make([]float32, tuneCols)
	for i := range x {
		x[i] = 1
	}
	if kernel := k.ints[t].gemv; kernel != nil {
		q, a := NewQ8(tuneCols/Group), make([]Q8x8, Q8x8Count(tuneCols/Group))
		Quantize(q, x)
		PackQ8x8(a, q)
		return func() {
			kernel(&dst[0], &weights[0], stride, rows, tuneCols/Group, (*byte)(unsafe.Pointer(&a[0])))
		}
	}
	kernel := k.floats[t].gemv
	return func() { kernel(&dst[0], &weights[0], stride, rows, tuneCols, &x[0]) }
}

// GemvTier returns the tier whose kernel multiplies weights of type t with one row.
func GemvTier(t quant.Type) string {
	if int(t) >= len(fastest) || active.ints[t].gemv == nil && active.floats[t].gemv == nil {
		return generic
	}
	if tier := fastest[t].Load(); tier != nil {
		return tier.name
	}
	return Active()
}
