package arch

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/normswap/normswap/gguf"
)

// perLayer returns a key that is one number, from 1 to most, for all
// layers or an array with one for each, which may be 0 where layers have no attention.
func (r *reader) perLayer(k string, layers, most int, def []int) []int {
	count := r.positive
	if r.spec.Uneven || r.spec.Recurrence != NoRecurrence && k != keyFFN {
		count = func(k string, v, most int) int {
			if v == 0 {
				return 0
			}
			return r.positive(k, v, most)
		}
	}
	r.read[k] = true
	all := make([]int, layers)
	one, err := gguf.Get[int](r.meta, r.key(k))
	switch {
	case err == nil:
		for i := range all {
			all[i] = r.positive(k, one, most)
		}
	case errors.Is(err, gguf.ErrMissing):
		if def == nil {
			r.fail(err)
		}
		return def
	default:
		each, err := gguf.Get[[]int](r.meta, r.key(k))
		r.fail(err)
		if r.err == nil && len(each) != layers {
			r.err = fmt.Errorf("arch: %s has %d elements, want one for each of %d layers (%s)", r.key(k), len(each), layers, r.key(keyLayers))
		}
		if r.err == nil {
			for i, v := range each {
				all[i] = count(k, v, most)
			}
		}
	}
	return all
}

// headDim reads the width of a head, which is the same for keys and values.
func (r *reader) headDim(h *Hyper) {
	if _, given := r.meta.Lookup(r.key(keyHeadDim)); !given && (h.Dim%h.Heads != 0 || h.Dim/h.Heads > maxHead) {
		r.fail(fmt.Errorf("%s is %d, want a multiple of %s %d, and heads of up to %d", r.key(keyDim), h.Dim, r.key(keyHeads), h.Heads, maxHead))
	}
	h.HeadDim = r.positive(keyHeadDim, opt(r, keyHeadDim, h.Dim/h.Heads), maxHead)
	if v := opt(r, keyValueDim, h.HeadDim); v != h.HeadDim {
		r.fail(fmt.Errorf("%s is %d but keys are %d wide; only equal widths are supported", r.key(keyValueDim), v, h.HeadDim))
	}
}

// layerShape is what may differ between layers.
type layerShape struct {
	heads, kvHeads, ffn, experts []int
	expertFFN, sharedFFN         int
}

// layer is one of them.
type layer struct{ heads, kvHeads, ffn, experts, shared int }

func (s *layerShape) at(i int) layer {
	l := layer{s.heads[i], s.kvHeads[i], s.ffn[i], s.experts[i], 0}
	if l.experts > 0 {
		l.ffn, l.shared = s.expertFFN, s.sharedFFN
		if l.ffn == 0 {
			l.ffn = s.ffn[i]
		}
	}
	return l
}

// xielu returns the parameters of xIELU, whose keys have no architecture in front, and
// which files have before the softplus that keeps alphas positive.
func (r *reader) xielu(layers int) []XIELUShape {
	all := make([]XIELUShape, layers)
	each := func(key string, set func(s *XIELUShape, v float64)) {
		values, err := gguf.Get[[]float64](r.meta, key)
		if one, oneErr := gguf.Get[float64](r.meta, key); oneErr == nil {
			values, err = slices.Repeat([]float64{one}, layers), nil
		}
		if err == nil && len(values) != layers {
			err = fmt.Errorf("%s has %d elements, want one for each of %d layers", key, len(values), layers)
		}
		r.fail(err)
		for i := range all {
			if err != nil || r.err != nil {
				return
			}
			if v := values[i]; v-v != 0 {
				r.fail(fmt.Errorf("%s is %v in layer %d", key, v, i))
			}
			set(&all[i], values[i])
		}
	}
	softplus := func(x float64) float32 { return float32(max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))) }
	each("xielu.beta", func(s *XIELUShape, v float64) { s.Beta = float32(v) })
	each("xielu.alpha_p", func(s *XIELUShape, v float64) { s.P = softplus(v) })
	each("xielu.alpha_n", func(s *XIELUShape, v float64) { s.N = s.Beta + softplus(v) })
	each("xielu.eps", func(s *XIELUShape, v float64) { s.Eps = float32(v) })
	return all
}
