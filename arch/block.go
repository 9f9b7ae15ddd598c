package arch

import (
	"slices"

	"github.com/normswap/normswap/gguf"
)

// attention binds the matrices of attention, and the norms on queries and keys.
func (b *binder) attention(i int, h *Hyper, l *Block) {
	s, heads, kvHeads := b.spec, l.Heads, l.KVHeads
	if s.Latent {
		b.latent(i, h, l)
		return
	}
	q, kv := heads*h.HeadDim, kvHeads*h.HeadDim
	if name := block(i, nameQKV); s.QKVFused || b.has(WeightName(name)) {
		fused := b.linear(Q, name, Required, s.QKVBias, h.Dim, q+2*kv)
		rows := func(role Role, from, n int) Linear {
			part := Linear{Role: role, Name: name, W: fused.W, B: fused.B, From: from, Rows: n, BFrom: from}
			if fused.B == nil && s.QKVBias == Optional && !s.QKVFused { // fused weights may come with split biases
				part.B, part.BFrom = b.tensor(BiasName(role.Name(i)), Optional, n), 0
			}
			return part
		}
		l.Q, l.K, l.V = rows(Q, 0, q), rows(K, q, kv), rows(V, q+kv, kv)
		if n := len(slices.DeleteFunc([]*gguf.Tensor{l.Q.B, l.K.B, l.V.B}, func(t *gguf.Tensor) bool { return t == nil })); n == 1 || n == 2 {
			b.fail("beside %s there must be the biases of queries, keys and values, or none; there are %d", WeightName(name), n)
		}
	} else {
		l.Q = b.linear(Q, Q.Name(i), Required, s.QKVBias, h.Dim, q)
		l.K = b.linear(K, K.Name(i), Required, s.QKVBias, h.Dim, kv)
		l.V = b.linear(V, V.Name(i), Required, s.QKVBias, h.Dim, kv)
	}
	if s.QKNorm != Absent && (h.Layers >= s.QKNormLayers || b.has(WeightName(block(i, nameQNorm)))) {
		l.QNorm = b.qkNorm(i, nameQNorm, heads, h.HeadDim)
		l.KNorm = b.qkNorm(i, nameKNorm, kvHeads, h.HeadDim)
		switch {
		case l.QNorm == nil && l.KNorm != nil && s.QKGain == AllHeads: // llama.cpp looks for both at that on queries
			b.warn("the norms on keys are ignored without norms on queries, as llama.cpp does")
			l.KNorm = nil
		case l.QNorm != nil && l.KNorm == nil && s.QKGain == AllHeads:
			b.fail("layer %d has a norm on queries, but none on keys", i)
		}
	}
	if s.VNorm {
		l.VNorm = &Norm{Site: block(i, nameVNorm), Role: OnQueryKey, Layer: i, Kind: s.Norm, Width: h.HeadDim, Groups: kvHeads}
	}
	l.O = b.linear(O, O.Name(i), Required, s.OutBias, q, h.Dim)
	l.Sinks = b.tensor(WeightName(block(i, nameSinks)), s.Sinks, heads)
}

// ffn binds the feed-forward network or the experts.
func (b *binder) ffn(i int, h *Hyper, l *Block, is layer) {
	s, ffn := b.spec, is.ffn
	if is.experts > 0 {
		b.mixture(i, h, l, is)
		return
	}
	gating := s.Gating
	if gating == AnyGate {
		gating = b.gating(i, ffn)
	}
	switch gating {
	case Gated:
		l.Gate = b.linear(Gate, Gate.Name(i), Required, s.FFNBias, h.Dim, ffn)
		l.Up = b.linear(Up, Up.Name(i), Required, s.FFNBias, h.Dim, ffn)
	case FusedGate:
		l.Up = b.linear(Up, Up.Name(i), Required, s.FFNBias, h.Dim, 2*ffn)
		l.Gate = l.Up
		l.Gate.Role = Gate
		l.Gate.Rows, l.Up.Rows, l.Up.From, l.Up.BFrom = ffn, ffn, ffn, ffn
	default:
		l.Up = b.linear(Up, Up.Name(i), Required, s.FFNBias, h.Dim, ffn)
	}
	l.FFNScales = b.tensor(block(i, nameFFNScales), s.FFNScales, ffn)
	l.Down = b.linear(Down, Down.Name(i), Required, s.FFNBias, ffn, h.Dim)
}
