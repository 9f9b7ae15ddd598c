package engine

import (
	"fmt"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

func newRoPE(p arch.RoPE, factors []float32) *ops.RoPE {
	if p.Rotary == arch.NoRotary {
		return nil
	}
	c := ops.RoPEConfig{Dims: p.Dims, Pairwise: p.Rotary == arch.Pairwise, Base: float32(p.Base),
		Scale: float32(p.Scale), Mscale: float32(p.Attn), Factors: factors}
	if p.Ext != 0 {
		c.YaRN = &ops.YaRN{OrigContext: p.OrigContext, Ext: float32(p.Ext), BetaFast: float32(p.BetaFast), BetaSlow: float32(p.BetaSlow)}
	}
	return ops.NewRoPE(c)
}

// build makes of the tensors what ops takes.
func (m *Model) build() error {
	a := m.Arch
	b := builder{replace: m.replacement, norms: m.norms}
	m.embed = b.matrix(a.Embed, 0, a.Vocab)
	if a.Positions != nil {
		m.positions = b.matrix(a.Positions, 0, a.Context)
	}
	m.tokenType = b.vector(a.TokenTypes, 0, a.EmbedDim)
	m.embedProject = b.linear(&a.EmbedProject)
	m.embedNorm = b.norm(a.EmbedNorm, a.Eps)
	m.finalNorm = b.norm(a.FinalNorm, a.Eps)
	m.head = b.linear(&a.Head)
	m.dense2, m.dense3 = b.linear(&a.Dense2), b.linear(&a.Dense3)
	m.classDense, m.classNorm, m.classOut = b.linear(&a.ClassDense), b.norm(a.ClassNorm, a.Eps), b.linear(&a.ClassOut)
	m.activation = m.activationOf(a.Activation)
	m.blocks = make([]block, len(a.Blocks))
	for i := range a.Blocks {
		m.blocks[i] = b.block(a, &a.Blocks[i])
		if a.XIELU != nil {
			m.blocks[i].xielu = &a.XIELU[i]
		}
	}
	m.stateSize = stateSize(a)
	m.altUp = b.altUp(a)
	m.rope, m.windowRope = newRoPE(a.RoPE, a.RoPE.Factors), newRoPE(a.WindowRoPE, a.WindowRoPE.Factors)
	if a.RoPE.LongFactors != nil {
		m.longRope = newRoPE(a.RoPE, a.RoPE.LongFactors)
	}
	return b.err
}

// activationOf returns what computes an activation.
func (m *Model) activationOf(a arch.Activation) ops.Activation {
	if a == arch.GELUErf && m.opts.TanhGELU {
		a = arch.GELU
	}
	if a == arch.ClampedSiLU || a == arch.XIELU {
		return 0 // package ops has none
	}
	return activations[a]
}

// builder turns tensors into what ops takes and keeps the first error.
type builder struct {
	replace func(*arch.Norm, *ops.Norm) (Norm, error)
	norms   map[*arch.Norm]*norm
	err     error
}

func (b *builder) fail(err error) {
	if b.err == nil && err != nil {
		b.err = fmt.Errorf("engine: %w", err)
	}
}

// matrix returns rows from..from+rows of a tensor, experts being one matrix after the other.
func (b *builder) matrix(t *gguf.Tensor, from, rows int) ops.Matrix {
	size, err := t.Type.RowBytes(t.Dims[0])
	if err != nil {
		b.fail(fmt.Errorf("tensor %s: %w", t.Name, err))
		return ops.Matrix{}
	}
	if end := (from + rows) * size; end > len(t.Data) {
		b.fail(fmt.Errorf("tensor %s has %d bytes, want %d", t.Name, len(t.Data), end))
		return ops.Matrix{}
	}
	m, err := ops.NewMatrix(t.Type, rows, t.Dims[0], t.Data[from*size:(from+rows)*size])
	if err != nil {
		b.fail(fmt.Errorf("tensor %s: %w", t.Name, err))
	}
	return m
}

// vector returns n elements of a tensor, decoded; nil if there is none.
func (b *builder) vector(t *gguf.Tensor, from, n int) []float32 {
	if t == nil || b.err != nil {
		return nil
	}
	v, err := t.Float32s()
	if err != nil {
		b.fail(err)
		return nil
	}
	return v[from : from+n : from+n]
}

func (b *builder) linear(l *arch.Linear) linear {
	if l.W == nil || b.err != nil {
		return linear{}
	}
	return linear{w: b.matrix(l.W, l.From, l.Rows), b: b.vector(l.B, l.BFrom, l.Rows)}
}

func (b *builder) norm(n *arch.Norm, eps float32) *norm {
	if n == nil || b.err != nil {
		return nil
	}
	groups := 1
	if n.Gain != nil {
		groups = n.Gain.Items() / n.Width
	}
	gain, bias := b.vector(n.Gain, 0, groups*n.Width), b.vector(n.Bias, 0, groups*n.Width)
	part := func(v []float32, i int) []float32 {
		if v == nil {
			return nil
		}
		return v[i*n.Width : (i+1)*n.Width : (i+1)*n.Width]
	}
	all := &norm{site: n}
	for i := range groups {
		f, err := b.replace(n, &ops.Norm{Eps: eps, Center: n.Kind == arch.LayerNorm, Gain: without(part(gain, i), 1), Bias: without(part(bias, i), 0)})
		b.fail(err)
		all.parts = append(all.parts, f)
	}
	b.norms[n] = all
	return all
}

// without returns v, or nil if it is c throughout: a gain of ones and a bias
// of zeros need no pass.
func without(v []float32, c float32) []float32 {
	for _, x := range v {
		if x != c {
			return v
		}
	}
	return nil
}

func (b *builder) block(a *arch.Model, l *arch.Block) block {
	out := block{
		Block:    l,
		attnNorm: b.norm(l.AttnNorm, a.Eps), ffnNorm: b.norm(l.FFNNorm, a.Eps),
		attnPost: b.norm(l.AttnPost, a.Eps), ffnPost: b.norm(l.FFNPost, a.Eps),
		attnSum: b.norm(l.AttnSum, a.Eps), attnSum2: b.norm(l.AttnSum2, a.Eps), ffnSum: b.norm(l.FFNSum, a.Eps),
		qNorm: b.norm(l.QNorm, a.Eps), kNorm: b.norm(l.KNorm, a.Eps),
		q: b.linear(&l.Q), k: b.linear(&l.K), v: b.linear(&l.V), o: b.linear(&l.O),
		recurrence: b.recurrence(a, l),
		altUp:      b.altUpBlock(a, l),
		vNorm:      b.norm(l.VNorm, a.Eps),
		router:     b.linear(&l.Router), kRope: b.linear(&l.KRope), qHeads: b.linear(&l.QHeads),
		attention: ops.Attention{Heads: l.Heads, KVHeads: l.KVHeads, HeadDim: a.HeadDim,
			Bidirectional: a.Spec.Encoder, Scale: a.AttnScale, Softcap: a.AttnSoftcap, Window: l.Window},
	}
	for h := range l.KHeads.Experts {
		out.kHeads = append(out.kHeads, b.expert(&l.KHeads, h))
		out.vHeads = append(out.vHeads, b.expert(&l.VHeads, h))
	}
	if a.MaxALiBi > 0 {
		out.attention.Slopes = ops.ALiBiSlopes(l.Heads, a.MaxALiBi)
		scale(out.attention.Slopes, a.ALiBiScale)
	}
	if t := a.PositionBias; t != nil {
		out.attention.Distances = b.vector(t, 0, t.Items())
	}
	out.attention.Sinks = b.vector(l.Sinks, 0, l.Heads)
	if l.Router.W == nil {
		out.gate, out.up, out.down = b.linear(&l.Gate), b.linear(&l.Up), b.linear(&l.Down)
		if l.FFNScales != nil {
			out.ffnScales = b.vector(l.FFNScales, 0, l.FFN)
		}
		return out
	}
	if out.selectBias = b.vector(l.SelectBias, 0, a.Experts); notFinite(out.selectBias) >= 0 {
		b.fail(fmt.Errorf("tensor %s has %v, which chooses no expert", l.SelectBias.Name, out.selectBias[notFinite(out.selectBias)]))
	}
	out.shared = expert{b.linear(&l.SharedGate), b.linear(&l.SharedUp), b.linear(&l.SharedDown)}
	out.sharedRouter = b.linear(&l.SharedRouter)
	for e := range a.Experts {
		out.experts = append(out.experts, expert{gate: b.expert(&l.Gate, e), up: b.expert(&l.Up, e), down: b.expert(&l.Down, e)})
	}
	return out
}

// expert returns the matrix of one expert.
func (b *builder) expert(l *arch.Linear, e int) linear {
	if l.W == nil || b.err != nil {
		return linear{}
	}
	each := l.W.Items() / l.W.Dims[0] / l.Experts // rows; gate and up may share them
	return linear{w: b.matrix(l.W, e*each+l.From, l.Rows), b: b.vector(l.B, e*l.Rows, l.Rows)}
}

// connect finds what forms the inputs of products are read in, once it is
// settled how the weights are stored and which outputs are centered.
func (m *Model) connect() {
	linears := m.linears()
	for _, all := range linears {
		for _, l := range all {
			l.forms = ops.FormsOf(m.opts.FloatActivations, &l.w)
			if m.opts.BF16Activations && l.w.Type == quant.BF16 && l.w.Cols%2 == 0 && l.means == nil {
				l.forms, m.halves = ops.Halves, true
			}
			m.floats = m.floats || l.forms&(ops.Floats|ops.Halves) != 0 && l != &m.head
			if l.means != nil {
				l.forms |= ops.Dots
			}
		}
	}
	forms := func(readers []*arch.Linear) (f ops.Forms) {
		for _, r := range readers {
			if r.Experts > 0 && r.Role != arch.Router {
				f |= ops.Rows // each expert takes its own rows
				continue
			}
			for _, l := range linears[r] {
				f |= l.forms
				if m.Arch.Spec.Encoder && l.forms&ops.Quantized != 0 {
					f |= ops.Outliers
					l.columns = ops.ColumnsOf(&l.w)
				}
			}
		}
		return f
	}
	for site, n := range m.norms {
		n.forms = forms(m.Arch.Readers(site))
		if site.Kept {
			n.forms |= ops.Rows
		}
	}
	m.bareForms = forms(m.Arch.BareReaders())
}
