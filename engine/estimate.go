package engine

import (
	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/ops"
)

// An Estimate is the memory that a model takes, in bytes. Scratch of computations, of at
// most some 256 MiB, comes to it, and copies of weights that norm modes make.
type Estimate struct {
	Weights   int64 `json:"weights"`       // as they are stored
	Cache     int64 `json:"cache"`         // of one session, in float32, when it is full, with the states of recurrent layers
	HalfCache int64 `json:"cache_f16"`     // the same in float16
	Positions int   `json:"cache_context"` // that the cache has room for
}

// EstimateMemory returns the memory of a model whose header alone is known, with
// sessions of some positions; 0: those that the model was trained for, up to
// DefaultContext. Encoders have no cache.
func EstimateMemory(f *gguf.File, m *arch.Model, positions int) Estimate {
	e := Estimate{Positions: positions}
	if positions == 0 {
		e.Positions = min(m.Context, DefaultContext)
	}
	for i := range f.Tensors {
		e.Weights += int64(f.Tensors[i].Size())
	}
	if m.Spec.Encoder {
		e.Positions = 0
		return e
	}
	e.Cache = int64(statesBytes(m))
	e.HalfCache = e.Cache
	for i := range m.Blocks {
		e.Cache += int64(ops.NewKV(m.Blocks[i].CacheHeads(), m.HeadDim, e.Positions, false).MaxBytes())
		e.HalfCache += int64(ops.NewKV(m.Blocks[i].CacheHeads(), m.HeadDim, e.Positions, true).MaxBytes())
	}
	return e
}
