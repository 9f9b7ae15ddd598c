package arch

import (
	"cmp"
	"fmt"
	"math"
)

// rope reads the parameters of the rotary embedding.
func (r *reader) rope(s *Spec, h *Hyper) {
	if s.Rotary == NoRotary || s.ALiBiDepth > 0 && h.Layers == s.ALiBiDepth {
		return
	}
	if s.FinetunedKey && !opt(r, keyRoPEFinetuned, true) {
		h.NoRoPE = true
	}
	p := RoPE{Rotary: s.Rotary, Scale: 1, Attn: 1}
	if s.SectionsHalves {
		if sections := opt(r, keyRoPESections, []int(nil)); len(sections) > 1 && sections[0] > 0 && sections[1] > 0 {
			p.Rotary = HalfSplit
		}
	}
	p.Dims = opt(r, keyRoPEDims, h.HeadDim)
	if r.err == nil && (p.Dims < 2 || p.Dims > h.HeadDim || p.Dims%2 != 0) {
		r.err = fmt.Errorf("arch: %s is %d, want an even number up to the width of a head, %d (%s)", r.key(keyRoPEDims), p.Dims, h.HeadDim, r.key(keyHeadDim))
	}
	p.Base = r.above0(keyRoPEBase, 10000)
	factorKey := keyRoPEFactor
	if _, ok := r.meta.Lookup(r.key(keyRoPEFactor)); !ok {
		factorKey = keyRoPELinear // in older files
	}
	r.read[keyRoPELinear] = true
	factor := cmp.Or(r.float(factorKey, 0), 1)
	p.Scale = 1 / factor
	if r.err == nil && p.Scale > math.MaxFloat32 {
		r.err = fmt.Errorf("arch: %s is %v, too small", r.key(factorKey), factor)
	}
	p.OrigContext = r.positive(keyRoPEOrigContext, opt(r, keyRoPEOrigContext, h.Context), math.MaxInt32)
	p.BetaFast = r.float(keyYaRNBetaFast, 32)
	p.BetaSlow = r.float(keyYaRNBetaSlow, 1)
	kind := opt(r, keyRoPEType, "linear")
	ext := 0.0
	switch kind {
	case "none":
		p.Scale = 1
		if factor != 1 && s.WindowRoPE.Scaled {
			r.fail(fmt.Errorf("%s is none, but %s is %v", r.key(keyRoPEType), r.key(factorKey), factor))
		}
	case "linear":
	case "longrope":
		p.Long = true
	case "yarn":
		ext = 1
	default:
		r.fail(fmt.Errorf("%s is %.64q; known are none, linear, yarn and longrope", r.key(keyRoPEType), kind))
	}
	p.Ext = r.float(keyYaRNExt, ext)
	if p.Ext != 0 && kind != "yarn" {
		r.fail(fmt.Errorf("%s is %v, but %s is %.64q", r.key(keyYaRNExt), p.Ext, r.key(keyRoPEType), kind))
	}
	if mul := r.float(keyYaRNLogMul, 0); p.Ext != 0 {
		// YaRN multiplies queries and keys by mscale(1); a logarithmic multiplier
		// divides that by mscale(mul). A factor below 1 has neither.
		mscale := func(mul float64) float64 {
			if factor <= 1 {
				return 1
			}
			return 1 + 0.1*mul*math.Log(factor)
		}
		p.Attn = mscale(1) / mscale(mul) / (1 + 0.1*math.Log(factor)) // what ops multiplies by anyway
	}
	p.Attn *= r.float(keyRoPEAttnFactor, 1)
	if s.Latent {
		r.latentYaRN(h, &p)
	}
	h.RoPE = p
	h.WindowRoPE = r.windowRoPE(&s.WindowRoPE, p)
	if s.WindowPeriod == 0 { // windows by the file's pattern alone: RoPE is the same on all layers
		h.WindowRoPE = p
	}
}

// windowRoPE returns the rotary embedding of layers with a sliding window; p is
// that of global layers.
func (r *reader) windowRoPE(s *WindowRoPE, p RoPE) RoPE {
	if s.BaseKey {
		p.Base = r.above0(keyRoPEWindowBase, cmp.Or(s.Base, p.Base))
	}
	if !s.Scaled {
		p.Scale, p.Ext = 1, 0
	}
	if !s.AttnFactor {
		p.Attn = 1
	}
	return p
}

// ropeTables binds the tables of frequency factors.
func (b *binder) ropeTables(m *Model) {
	table := func(name string) []float32 {
		if b.err != nil || !b.has(name) {
			return nil
		}
		t := b.tensor(name, Required, m.RoPE.Dims/2)
		if b.err != nil {
			return nil
		}
		f, err := t.Float32s()
		if err != nil {
			b.err = fmt.Errorf("arch: %w", err)
		}
		for i, v := range f {
			if v == 0 || v-v != 0 {
				b.fail("tensor %s has %v at %d, want finite factors other than 0", name, v, i)
			}
		}
		return f
	}
	switch t := m.Spec.RoPETables; {
	case t == LongShort, t == ByScaling && m.RoPE.Long:
		m.RoPE.Factors, m.RoPE.LongFactors = table(WeightName(nameRoPEShort)), table(WeightName(nameRoPELong))
	case t == OneTable, t == ByScaling:
		m.RoPE.Factors = table(WeightName(nameRoPE))
		m.WindowRoPE.Factors = m.RoPE.Factors
	}
}
