package engine

import (
	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/ops"
)

// forward takes rows through the blocks and returns their residual vectors,
// which are valid until the next call.
func (p *pass) forward(rows ...segment) ([]float32, error) {
	p.begin(rows)
	x := p.embed()
	if p.model.altUp != nil {
		p.widen(x)
	}
	watched := p.watched()
	if watched {
		p.showPart(-1, Stream, x)
	}
	for i := range p.model.blocks {
		if err := p.ctx.Err(); err != nil {
			return nil, err
		}
		x = p.block(i, x)
		if watched {
			p.showPart(i, Stream, x)
		}
	}
	if p.model.altUp != nil {
		p.merge(x)
	}
	if f := p.model.finalNorm; f != nil && p.tapped(f) { // logits may norm fewer rows, so it shows none
		p.normalize(p.work[:len(x)], x, f)
	}
	return x, p.end() // the last block may have been cut short
}

// block returns x + Attention(norm(x)), plus the FFN of the norm of that sum or,
// in a parallel block, of the same x. In a post-norm block the norms are those of
// the two sums instead.
func (p *pass) block(layer int, x []float32) []float32 {
	b := &p.model.blocks[layer]
	if b.Parallel {
		forAttention := p.norm(&p.in, x, b.attnNorm)
		forFFN := forAttention
		if b.ffnNorm != nil {
			forFFN = p.norm(&p.ffnIn, x, b.ffnNorm)
		}
		x = p.add(x, &b.o, p.attention(b, layer, forAttention), b.attnPost)
		p.showPart(layer, Attention, p.branch)
		return p.addFFN(layer, x, b, forFFN)
	}
	if b.altUp != nil {
		p.predict(b, x)
	}
	if b.attnSum2 != nil {
		p.before = append(p.before[:0], x...)
	}
	if heads := p.attended(b, layer, x); heads != nil {
		if b.centerStream {
			centerRows(x, p.model.Arch.Dim)
		}
		x = p.add(x, &b.o, heads, b.attnPost)
		p.showPart(layer, Attention, p.branch)
		if b.altUp != nil {
			p.laurel(b, x)
		}
		x = p.normSum(x, b.attnSum)
	} else {
		p.showNothing(layer, Attention, x)
	}
	if b.attnSum2 != nil {
		p.pool.Add(x, p.before, p.model.Arch.Dim)
		x = p.normSum(x, b.attnSum2)
	}
	if b.down.w.Rows == 0 && b.experts == nil {
		p.showNothing(layer, FFN, x)
		return x
	}
	x = p.normSum(p.addFFN(layer, x, b, p.norm(&p.in, x, b.ffnNorm)), b.ffnSum)
	if b.altUp != nil {
		p.correct(b, layer, x)
	}
	return x
}

// attended returns what the output matrix of attention reads: the norm itself in a layer
// without keys, and nil in one without attention.
func (p *pass) attended(b *block, layer int, x []float32) *ops.Input {
	if b.Heads == 0 && b.recurrence == nil {
		return nil
	}
	in := p.norm(&p.in, x, b.attnNorm)
	switch {
	case b.recurrence != nil:
		return p.recur(b, layer, in)
	case b.KVHeads == 0:
		return in
	}
	return p.attention(b, layer, in)
}

// normSum returns the norm f of the sums x, or these where f is nil.
func (p *pass) normSum(x []float32, f *norm) []float32 {
	if f != nil {
		p.normalize(x, x, f)
	}
	return x
}

// addFFN returns x + FFN(in).
func (p *pass) addFFN(layer int, x []float32, b *block, in *ops.Input) []float32 {
	if b.experts != nil {
		x = p.addExperts(x, b, in)
	} else {
		x = p.add(x, &b.down, p.hidden(&b.gate, &b.up, &b.down, b, in), b.ffnPost)
	}
	p.showPart(layer, FFN, p.branch)
	return x
}

// embed returns the embeddings of the tokens, with those of their type and of
// their positions where these are learned.
func (p *pass) embed() []float32 {
	m, d := p.model, p.model.Arch.EmbedDim
	p.x = sized(p.x, p.rows*d)
	for _, seg := range p.segments {
		for i, id := range seg.tokens {
			x := row(p.x, seg.row+i, d)
			m.embeddingRow(x, &m.embed, int(id))
			if m.Arch.EmbedScale != 1 {
				scale(x, m.Arch.EmbedScale)
			}
			if m.tokenType != nil {
				p.pool.Add(x, m.tokenType, d)
			}
			if m.positions.Rows > 0 {
				position := p.work[:d]
				m.embeddingRow(position, &m.positions, seg.pos+i)
				p.pool.Add(x, position, d)
			}
		}
	}
	if m.embedNorm != nil {
		p.normalize(p.x, p.x, m.embedNorm)
	}
	if m.embedProject.w.Rows > 0 {
		p.x = p.linear(&m.embedProject, p.x)
	}
	return p.x
}

// embeddingRow decodes row i of a table, centered if the fold says so: before
// anything is added to it, or a large mean would take the last bits of that.
func (m *Model) embeddingRow(dst []float32, table *ops.Matrix, i int) {
	table.Row(dst, i)
	if m.centerEmbed {
		centerRow(dst)
	}
}

// attention returns what the heads read from the cache, for the matrix that
// writes it to the stream.
func (p *pass) attention(b *block, layer int, in *ops.Input) *ops.Input {
	m, n := p.model, p.rows
	qd, kd := b.Heads*m.Arch.HeadDim, b.KVHeads*m.Arch.HeadDim
	q, k, v := p.work[:n*qd], p.work[n*qd:][:n*kd], p.work[n*(qd+kd):][:n*kd]
	if b.kHeads != nil {
		v = k // the latent, of which the values are made when the heads have read it
		p.latent(b, in, q, k)
	} else {
		if b.KVFrom == layer {
			p.apply(in, output{l: &b.q, y: q}, output{l: &b.k, y: k}, output{l: &b.v, y: v})
		} else { // k and v are there
			k, v = nil, nil
			p.apply(in, output{l: &b.q, y: q})
		}
		if c := m.Arch.Clamp; c > 0 {
			clamp(q, c)
			clamp(k, c)
			clamp(v, c)
		}
		p.normQKV(b, q, k, v)
	}
	if b.Rotary {
		rope, table := m.rope, p.rotations.global
		if b.Window > 0 {
			rope, table = m.windowRope, p.rotations.window
		}
		p.pool.RoPE(rope, q, b.Heads, m.Arch.HeadDim, table)
		if b.KVFrom == layer {
			p.pool.RoPE(rope, k, b.KVHeads, m.Arch.HeadDim, table)
		}
	}
	if m.Arch.Temperature != 0 {
		p.heat(q, qd)
	}
	switch {
	case b.KVFrom != layer:
		p.attendShared(b, q)
	case p.lengths != nil: // no sequence sees another
		p.keepShared(layer, k, v)
		p.pool.SelfAttention(q, q, k, v, &b.attention, p.lengths)
	default:
		p.timelines = p.timelines[:0]
		for _, s := range p.segments {
			p.timelines = append(p.timelines, ops.Timeline{KV: s.session.kv[layer], Pos: s.pos, N: len(s.tokens)})
		}
		p.pool.CachedAttention(q, q, k, v, &b.attention, p.timelines)
	}
	if b.vHeads != nil {
		q, qd = p.values(b, q), b.Heads*m.Arch.ValueDim
	}
	p.pool.Prepare(&p.out, q, qd, p.forms(b.o.forms))
	return &p.out
}

// normQKV applies the norms on queries, keys and values, where there are any.
func (p *pass) normQKV(b *block, q, k, v []float32) {
	if b.qNorm != nil {
		p.normalize(q, q, b.qNorm)
	}
	if b.kNorm != nil {
		p.normalize(k, k, b.kNorm)
	}
	if b.vNorm != nil {
		p.normalize(v, v, b.vNorm)
	}
}

// hidden returns act(up(x)), or act(gate(x)) * up(x), for the matrix down.
func (p *pass) hidden(gate, up, down *linear, b *block, x *ops.Input) *ops.Input {
	n := x.Count() * up.w.Rows
	h := p.work[:n]
	act := p.model.activation
	if gate.w.Rows == 0 {
		p.apply(x, output{l: up, y: h})
		if b.xielu != nil {
			xielu(h, b.xielu)
		} else {
			p.pool.Activate(act, h, h)
		}
	} else {
		u := p.work[n:][:n]
		p.apply(x, output{l: gate, y: h}, output{l: up, y: u})
		if b.Sparsity > 0 {
			sparsify(h, gate.w.Rows, float64(b.Sparsity))
		}
		if p.model.Arch.Activation == arch.ClampedSiLU {
			clampedSiLU(h, u)
		} else {
			p.pool.Gate(act, h, h, u)
		}
	}
	if b.ffnScales != nil {
		divideRows(h, b.ffnScales)
	}
	p.pool.Prepare(&p.out, h, up.w.Rows, p.forms(down.forms))
	return &p.out
}

// logits fills dst with the logits of rows of the residual stream, at the given
// positions of their timelines. Products with floats add up in the given way.
func (p *pass) logits(dst, x []float32, positions []int, way ops.Forms) error {
	m := p.model
	p.in.rows = sized(p.in.rows, len(x))
	m.finalNorm.apply(p.pool, p.in.rows, x, positions)
	forms := m.finalNorm.forms
	if forms&(ops.Floats|ops.Halves) != 0 {
		forms |= way
	}
	p.pool.Prepare(&p.in.Input, p.in.rows, m.Arch.Dim, forms)
	p.apply(&p.in.Input, output{l: &m.head, y: dst})
	if c := m.Arch.LogitScale; c != 1 {
		scale(dst, c)
	}
	if c := m.Arch.LogitSoftcap; c > 0 {
		softcap(dst, c)
	}
	return p.ctx.Err()
}
