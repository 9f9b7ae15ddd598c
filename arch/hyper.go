package arch

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/normswap/normswap/gguf"
)

// Bounds of what the metadata may ask for, far above any published model. What
// else they ask for is bounded by the tensors that it takes.
const (
	maxLayers  = 4096
	maxHeads   = 4096
	maxExperts = 4096
	maxWidth   = 1 << 24 // of a vector
	maxHead    = 1 << 13

	maxDistances = 1 << 20
)

// reader reads the keys of one architecture and keeps the first error.
type reader struct {
	meta *gguf.Meta
	spec *Spec
	read map[string]bool // keys that were asked for, without the architecture
	err  error
}

func (r *reader) key(k string) string { return r.spec.Key(k) }

func (r *reader) fail(err error) {
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("arch: %w", err)
	}
}

// need returns a key that must be there, opt one that may be absent.
func need[T gguf.Value](r *reader, k string) T {
	r.read[k] = true
	v, err := gguf.Get[T](r.meta, r.key(k))
	r.fail(err)
	return v
}

func opt[T gguf.Value](r *reader, k string, def T) T {
	r.read[k] = true
	v, err := gguf.GetOr(r.meta, r.key(k), def)
	r.fail(err)
	return v
}

// positive returns an integer key that must lie in 1..max.
func (r *reader) positive(k string, v, max int) int {
	if r.err == nil && (v < 1 || v > max) {
		r.err = fmt.Errorf("arch: %s is %d, want 1 to %d", r.key(k), v, max)
	}
	return v
}

// float returns a number that must be 0 or a positive float32.
func (r *reader) float(k string, def float64) float64 {
	v := opt(r, k, def)
	if r.err == nil && !(v == 0 || v > 0 && float32(v) > 0 && v <= math.MaxFloat32) {
		r.err = fmt.Errorf("arch: %s is %v, want a finite number that is not negative", r.key(k), v)
	}
	return v
}

// byPresence returns a number that an architecture requires, may have or does
// not; 0 if it is not there.
func (r *reader) byPresence(k string, p Presence) float64 {
	if p == Absent {
		return 0
	}
	if p == Required {
		need[float64](r, k)
	}
	return r.float(k, 0)
}

// above0 returns a number that must be a positive float32.
func (r *reader) above0(k string, def float64) float64 {
	v := r.float(k, def)
	if r.err == nil && v == 0 {
		r.err = fmt.Errorf("arch: %s is 0, want a positive number", r.key(k))
	}
	return v
}

// hyper reads the hyper-parameters. vocab is the number of rows of the
// embedding.
func (r *reader) hyper(s *Spec, vocab int) (h Hyper, shape layerShape) {
	h.Vocab = vocab
	for _, read := range []func(*Spec, *Hyper, *layerShape){r.size, r.heads, r.layers, r.attention, r.scales} {
		if read(s, &h, &shape); r.err != nil {
			return h, shape
		}
	}
	r.rope(s, &h)
	r.outlet(s, &h)
	return h, shape
}

// size reads how wide and deep a model is.
func (r *reader) size(s *Spec, h *Hyper, _ *layerShape) {
	h.Dim = r.positive(keyDim, need[int](r, keyDim), maxWidth)
	h.Layers = r.positive(keyLayers, need[int](r, keyLayers), maxLayers)
	h.Context = r.positive(keyContext, need[int](r, keyContext), math.MaxInt32)
	if s.NextLayers {
		next := opt(r, keyNextLayers, 0)
		if r.err == nil && (next < 0 || next >= h.Layers) {
			r.fail(fmt.Errorf("%s is %d of %d layers", r.key(keyNextLayers), next, h.Layers))
		}
		h.NextLayers = next
		h.Layers -= next
	}
	if len(s.Depths) > 0 && !slices.Contains(s.Depths, h.Layers) {
		r.fail(fmt.Errorf("%s is %d, but %s has models of %v layers alone, and what a layer computes depends on it", r.key(keyLayers), h.Layers, s.Name, s.Depths))
	}
	for _, key := range s.Needs {
		if _, ok := r.meta.Lookup(r.key(key)); !ok {
			r.fail(fmt.Errorf("key %q %w", r.key(key), gguf.ErrMissing))
		}
	}
}

// heads reads the heads of each layer, what stands in their place, and their width.
func (r *reader) heads(s *Spec, h *Hyper, shape *layerShape) {
	shape.heads = r.perLayer(keyHeads, h.Layers, maxHeads, nil)
	kvHeads := shape.heads
	switch {
	case s.Latent:
		kvHeads = slices.Repeat([]int{1}, h.Layers)
	case s.Recurrence != NoRecurrence:
		kvHeads = nil // which layers have attention is not to be guessed
	}
	shape.kvHeads = r.perLayer(keyKVHeads, h.Layers, maxHeads, kvHeads)
	if r.err != nil {
		return
	}
	first := 0
	if s.Recurrence != NoRecurrence {
		first = max(0, slices.IndexFunc(shape.kvHeads, func(n int) bool { return n > 0 })) // with attention
		r.recurrence(h)
		r.positive(keyKVHeads+" of every layer", shape.kvHeads[first], maxHeads)
	}
	h.KVHeads = shape.kvHeads[first]
	h.Heads = r.positive(keyHeads+" of the first layer", shape.heads[first], maxHeads)
	switch {
	case r.err != nil:
		return
	case s.Latent:
		r.latent(h, shape)
	default:
		r.headDim(h)
	}
	for i := range shape.heads {
		if r.err == nil && shape.kvHeads[i] > 0 && (shape.heads[i]%shape.kvHeads[i] != 0 || shape.heads[i] == 0 && s.Recurrence != NoRecurrence) {
			r.err = fmt.Errorf("arch: %s %d does not divide %d heads in layer %d", r.key(keyKVHeads), shape.kvHeads[i], shape.heads[i], i)
		}
	}
}

// layers reads the norms' epsilon, and the FFN and the experts of each layer.
func (r *reader) layers(s *Spec, h *Hyper, shape *layerShape) {
	epsKey := s.epsKey()
	need[float64](r, epsKey)
	h.Eps = float32(r.float(epsKey, 0))
	if shape.ffn = r.perLayer(keyFFN, h.Layers, maxWidth, nil); r.err != nil {
		return
	}
	h.FFN = shape.ffn[0]
	if s.Experts != Absent {
		h.Experts = opt(r, KeyExperts, 0)
		if h.Experts != 0 || s.Experts == Required {
			r.positive(KeyExperts, h.Experts, maxExperts)
			h.Active = r.positive(KeyExpertsUsed, need[int](r, KeyExpertsUsed), h.Experts)
		}
	}
	shape.experts = r.expertLayers(s, h)
	r.routing(s, h, shape)
	h.FFN = shape.at(0).ffn
	h.Activation = r.activation(s)
	if h.Activation == XIELU {
		h.XIELU = r.xielu(h.Layers)
	}
	if s.AltUp != nil {
		h.Sparsity = r.sparsity(h.Layers)
	}
}

// attention reads what changes scores.
func (r *reader) attention(s *Spec, h *Hyper, _ *layerShape) {
	h.Clamp = float32(r.byPresence(keyClamp, s.Clamp))
	switch {
	case s.ALiBiDepth > 0 && s.ALiBiDepth == h.Layers:
		h.MaxALiBi = float32(s.MaxALiBi)
	case s.ALiBi != Absent && s.ALiBiDepth == 0:
		h.MaxALiBi = float32(r.float(keyMaxALiBi, s.MaxALiBi))
	}
	h.ALiBiScale = 1
	if s.ALiBiScale {
		h.ALiBiScale = float32(r.above0(keyALiBiScale, 1))
	}
	attnScale := s.AttnScale
	if by, ok := s.AttnScaleByDepth[h.Layers]; ok {
		attnScale = by
	}
	h.AttnScale = float32(attnScale.value(h))
	if s.Latent {
		h.AttnScale = float32(1 / math.Sqrt(float64(h.KeyDim)))
	}
	if s.AttnScale == DefaultScale {
		h.AttnScale = float32(r.float(keyAttnScale, float64(h.AttnScale)))
	}
	h.AttnSoftcap = float32(r.float(keyAttnSoftcap, s.AttnSoftcap))
	if s.Temperature {
		h.Temperature = float32(r.float(keyTemperature, 0))
	}
}

// scales reads what multiplies the stream and the logits.
func (r *reader) scales(s *Spec, h *Hyper, _ *layerShape) {
	h.LogitSoftcap = float32(r.float(keyLogitSoftcap, s.LogitSoftcap))
	h.EmbedScale, h.ResidualScale = float32(s.EmbedScale.or1(h)), float32(s.ResidualScale.or1(h))
	if s.ScaleKeys {
		h.EmbedScale = float32(cmp.Or(r.float(keyEmbedScale, float64(h.EmbedScale)), 1))
		h.ResidualScale = float32(cmp.Or(r.float(keyResidualScale, float64(h.ResidualScale)), 1))
	}
	h.LogitScale = cmp.Or(float32(r.byPresence(KeyLogitScale, s.LogitScale)), float32(s.LogitDivisor.or1(h)))
	if s.ScaleKeys {
		h.LogitScale = 1 / h.LogitScale
	}
}

// activations are the values of the key hidden_activation.
var activations = map[string]Activation{
	"gelu": GELUErf, "gelu_erf": GELUErf, "gelu_new": GELU, "gelu_pytorch_tanh": GELU, "silu": SiLU, "relu": ReLU,
}

func (r *reader) activation(s *Spec) Activation {
	if !s.ActivationKey {
		return s.Activation
	}
	name := opt(r, keyActivation, "")
	a, ok := activations[name]
	switch {
	case name == "":
		return s.Activation
	case !ok:
		r.fail(fmt.Errorf("%s is %.64q; known are %s", r.key(keyActivation), name, strings.Join(slices.Sorted(maps.Keys(activations)), ", ")))
	}
	return a
}

// value evaluates the rule.
func (s Scale) value(h *Hyper) float64 {
	switch s {
	case InvHeadDim:
		return 1 / float64(h.HeadDim)
	case SqrtDim:
		return math.Sqrt(float64(h.Dim))
	case InvSqrtQuery:
		return 1 / math.Sqrt(float64(h.Dim/h.Heads))
	case One:
		return 1
	case Twelve:
		return 12
	case ByLayers:
		return 1.4 / math.Sqrt(float64(h.Layers))
	case ByDim:
		return 256 / float64(h.Dim)
	}
	return 1 / math.Sqrt(float64(h.HeadDim))
}

// or1 evaluates a rule whose default is 1.
func (s Scale) or1(h *Hyper) float64 {
	if s == DefaultScale {
		return 1
	}
	return s.value(h)
}
