package arch

import (
	"fmt"
	"math"
)

// latent reads the widths of latent attention. Heads attend to the latent itself, as one
// head of keys that all share, beside which lies the part that RoPE turns.
func (r *reader) latent(h *Hyper, shape *layerShape) {
	if h.QLatent = opt(r, keyQLatent, 0); h.QLatent != 0 {
		r.positive(keyQLatent, h.QLatent, maxWidth)
	}
	h.KVLatent = r.positive(keyKVLatent, need[int](r, keyKVLatent), maxHead)
	h.KeyDim = r.positive(keyKeyDim, need[int](r, keyKeyDim), maxHead)
	h.ValueDim = r.positive(keyValueDimMLA, need[int](r, keyValueDimMLA), maxHead)
	rope := r.positive(keyRoPEDims, need[int](r, keyRoPEDims), maxHead)
	if r.err != nil {
		return
	}
	if rope >= h.KeyDim {
		r.fail(fmt.Errorf("%s is %d, want less than the %d of %s", r.key(keyRoPEDims), rope, h.KeyDim, r.key(keyKeyDim)))
	}
	h.HeadDim = h.KVLatent + rope
	if v := opt(r, keyHeadDim, h.HeadDim); v != h.HeadDim {
		r.fail(fmt.Errorf("%s is %d, want %d, the sum of %s and %s", r.key(keyHeadDim), v, h.HeadDim, r.key(keyKVLatent), r.key(keyRoPEDims)))
	}
	if v := opt(r, keyValueDim, h.KVLatent); v != h.KVLatent {
		r.fail(fmt.Errorf("%s is %d, want %d, which is %s", r.key(keyValueDim), v, h.KVLatent, r.key(keyKVLatent)))
	}
	for i, n := range shape.kvHeads {
		if n != 1 {
			r.fail(fmt.Errorf("%s is %d in layer %d, want 1: heads share one latent vector", r.key(keyKVHeads), n, i))
			return
		}
	}
}

// latentYaRN reads what YaRN multiplies with latent attention: scores by mscale(mul)^2, whose
// multiplier mul is stored as a tenth of it, and queries and keys by nothing.
func (r *reader) latentYaRN(h *Hyper, p *RoPE) {
	factor, mul := 1/p.Scale, 10*r.float(keyYaRNLogMul, 0)
	switch attn := r.float(keyRoPEAttnFactor, 1); {
	case attn != 1:
		r.fail(fmt.Errorf("%s is %v, which is not implemented for latent attention", r.key(keyRoPEAttnFactor), attn))
	case p.Ext == 0 && factor != 1:
		r.fail(fmt.Errorf("positions are scaled by 1/%v (%s or %s) without YaRN, which is not implemented for latent attention", factor, r.key(keyRoPEFactor), keyRoPELinear))
	case p.Ext != 0 && mul == 0:
		r.fail(fmt.Errorf("%s is yarn, but there is no %s", r.key(keyRoPEType), r.key(keyYaRNLogMul)))
	case p.Ext != 0:
		mscale := 1 + 0.1*mul*math.Log(max(factor, 1))
		h.AttnScale *= float32(mscale * mscale)
		p.Attn = 1 / (1 + 0.1*math.Log(factor)) // ops multiplies by that anyway
	}
}

// latent binds the matrices of latent attention, and the norms on the latents.
func (b *binder) latent(i int, h *Hyper, l *Block) {
	queries, rope := l.Heads*h.KeyDim, h.HeadDim-h.KVLatent
	onLatent := func(name string, width int) *Norm {
		return b.norm(OnQueryKey, i, NormSpec{Name: name, Gain: Required}, width)
	}
	if h.QLatent == 0 {
		l.Q = b.linear(Q, Q.Name(i), Required, Absent, h.Dim, queries)
	} else {
		l.Q = b.linear(QLatent, QLatent.Name(i), Required, Absent, h.Dim, h.QLatent)
		l.QNorm = onLatent(nameQLatentNorm, h.QLatent)
		l.QHeads = b.linear(QHeads, QHeads.Name(i), Required, Absent, h.QLatent, queries)
	}
	l.K = b.linear(KVLatent, KVLatent.Name(i), Required, Absent, h.Dim, h.HeadDim)
	l.KRope = l.K
	l.K.Rows, l.KRope.From, l.KRope.Rows = h.KVLatent, h.KVLatent, rope
	l.KNorm = onLatent(nameKVLatentNorm, h.KVLatent)
	l.KHeads = b.perHead(KHeads, i, h.KeyDim-rope, h.KVLatent, l.Heads)
	l.VHeads = b.perHead(VHeads, i, h.KVLatent, h.ValueDim, l.Heads)
	l.O = b.linear(O, O.Name(i), Required, Absent, l.Heads*h.ValueDim, h.Dim)
}

// perHead binds the matrices of all heads in one role.
func (b *binder) perHead(role Role, layer, in, out, heads int) Linear {
	name := role.Name(layer)
	return Linear{Role: role, Name: name, Experts: heads, W: b.tensor(WeightName(name), Required, in, out, heads), Rows: out}
}
