package engine

import (
	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/ops"
)

// forward takes the tokens at positions pos, pos+1, ... through the blocks
// and leaves their residual vectors in s.x.
func (s *Session) forward(tokens []int32, pos int) error {
	m, n := s.model, len(tokens)
	s.x, s.batch = s.x[:n*m.Arch.Dim], tokens
	s.embed(tokens, pos)
	s.turn(pos, n)
	for i := range m.blocks {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		s.block(&m.blocks[i], s.kv[i], pos, n)
	}
	if err := s.ctx.Err(); err != nil {
		return err // the last block may have been cut short
	}
	if s.tapped(m.finalNorm) { // project may norm fewer rows, so it shows none
		s.norm(s.take(0, len(s.x)), s.x, m.finalNorm)
	}
	return nil
}

// embed looks the tokens up, and their positions where those are learned.
func (s *Session) embed(tokens []int32, pos int) {
	m, d := s.model, s.model.Arch.Dim
	for i, id := range tokens {
		x := s.x[i*d : (i+1)*d]
		m.embed.Row(x, int(id))
		if m.Arch.EmbedScale != 1 {
			scale(x, m.Arch.EmbedScale)
		}
		if m.positions.Rows > 0 {
			p := s.take(0, d)
			m.positions.Row(p, pos+i)
			s.pool.Add(x, p, d)
		}
		if m.centreEmbed {
			centreRow(x)
		}
	}
	if m.embedNorm != nil {
		s.norm(s.x, s.x, m.embedNorm)
	}
}

// turn prepares the rotation of n positions, once for all layers.
func (s *Session) turn(pos, n int) {
	m := s.model
	if m.rope == nil {
		return
	}
	global := m.rope
	if m.longRope != nil && s.max > m.Arch.RoPE.OrigContext {
		global = m.longRope
	}
	s.tables.global = s.tables.global[:n*global.Width()]
	global.Tables(s.tables.global, pos)
	s.tables.window = s.tables.window[:n*m.ropeW.Width()]
	m.ropeW.Tables(s.tables.window, pos)
}

// block is one layer: x += Attention(norm(x)), x += FFN(norm(x)), one after
// the other or, in a parallel block, both of the same x.
func (s *Session) block(b *block, kv *ops.KV, pos, n int) {
	s.normTo(s.a, b.attnNorm, n)
	read := s.a
	if b.Parallel && b.ffnNorm != nil {
		read = s.b
		s.normTo(read, b.ffnNorm, n)
	}
	s.attention(b, kv, pos, n)
	s.write(&b.o, b.attnPost)
	if !b.Parallel {
		read = s.b
		s.normTo(read, b.ffnNorm, n)
	}
	if b.experts != nil {
		s.mixture(b, read, n)
		return
	}
	s.hidden(b.Block, &b.gate, &b.up, read)
	if b.ffnScales != nil {
		divideRows(&s.h, b.ffnScales)
	}
	s.write(&b.down, b.ffnPost)
}

// attention leaves in s.h what the heads make of s.a.
func (s *Session) attention(b *block, kv *ops.KV, pos, n int) {
	m := s.model
	qd, kd := b.Heads*m.Arch.HeadDim, b.KVHeads*m.Arch.HeadDim
	q, k, v := s.take(0, n*qd), s.take(n*qd, n*kd), s.take(n*(qd+kd), n*kd)
	s.pool.MatMul(s.a,
		ops.Product{Dst: q, W: &b.q.w, Bias: b.q.b},
		ops.Product{Dst: k, W: &b.k.w, Bias: b.k.b},
		ops.Product{Dst: v, W: &b.v.w, Bias: b.v.b})
	s.centreGroups(q, &b.q, s.a)
	s.centreGroups(k, &b.k, s.a)
	if c := m.Arch.Clamp; c > 0 {
		clamp(q, c)
		clamp(k, c)
		clamp(v, c)
	}
	if b.qNorm != nil {
		s.norm(q, q, b.qNorm)
		s.norm(k, k, b.kNorm)
	}
	if b.Rotary {
		rope, table := m.rope, s.tables.global
		if b.Window > 0 {
			rope, table = m.ropeW, s.tables.window
		}
		s.pool.RoPE(rope, q, b.Heads, m.Arch.HeadDim, table)
		s.pool.RoPE(rope, k, b.KVHeads, m.Arch.HeadDim, table)
	}
	s.pool.Store(kv, pos, k, v)
	s.pool.Attention(q, q, kv, &b.attention, pos, n)
	s.h.View(q, qd)
}

// hidden leaves act(up(x)), or act(gate(x)) * up(x), in s.h.
func (s *Session) hidden(b *arch.Block, gate, up *linear, x *ops.Batch) {
	n := x.Rows() * b.FFN
	h := s.take(0, n)
	act := activations[s.model.Arch.Spec.Activation]
	if gate.w.Rows == 0 {
		s.pool.MatMul(x, ops.Product{Dst: h, W: &up.w, Bias: up.b})
		s.pool.Activate(act, h, h)
	} else {
		u := s.take(n, n)
		s.pool.MatMul(x,
			ops.Product{Dst: h, W: &gate.w, Bias: gate.b},
			ops.Product{Dst: u, W: &up.w, Bias: up.b})
		s.pool.Gate(act, h, h, u)
	}
	s.h.View(h, b.FFN)
}

var activations = [...]ops.Activation{arch.GELU: ops.GELU, arch.SiLU: ops.SiLU, arch.ReLU2: ops.ReLU2}

// write adds what l makes of s.h to the residual stream, through the norm post
// if there is one.
func (s *Session) write(l *linear, post *norm) {
	if post == nil {
		s.pool.MatMul(&s.h, ops.Product{Dst: s.x, W: &l.w, Bias: l.b, Add: true, Shift: s.shiftOf(l)})
		return
	}
	y := s.written(l)
	s.norm(y, y, post)
	s.pool.Add(s.x, y, s.model.Arch.Dim)
}

// written returns what l makes of s.h.
func (s *Session) written(l *linear) []float32 {
	y := s.take(len(s.h.Data()), s.h.Rows()*l.w.Rows)
	s.pool.MatMul(&s.h, ops.Product{Dst: y, W: &l.w, Bias: l.b, Shift: s.shiftOf(l)})
	return y
}

// normTo fills dst with the norm of the residual stream, or with the stream
// itself where there is no norm, in the forms that its readers take.
func (s *Session) normTo(dst *ops.Batch, f *norm, n int) {
	if f != nil && !s.tapped(f) {
		if built, ok := f.groups[0].(*ops.Norm); ok {
			s.pool.NormBatch(dst, s.x, built, f.readers...)
			return
		}
	}
	dst.Resize(n)
	if f == nil {
		copy(dst.Data(), s.x)
	} else {
		s.norm(dst.Data(), s.x, f)
	}
	dst.Touch()
}

// norm normalises rows of x, each of f.site.Groups vectors, and shows them
// to the tap.
func (s *Session) norm(dst, x []float32, f *norm) {
	if !s.tapped(f) {
		s.normalise(dst, x, f)
		return
	}
	s.show(f, In, x)
	s.showStd(f, x)
	s.normalise(dst, x, f)
	s.show(f, Out, dst)
}

func (s *Session) normalise(dst, x []float32, f *norm) {
	w := f.site.Width
	if built, ok := f.groups[0].(*ops.Norm); ok && len(f.groups) == 1 {
		s.pool.Norm(dst, x, w, built)
		return
	}
	for i := 0; i*w < len(x); i++ {
		f.groups[i%len(f.groups)].Apply(dst[i*w:(i+1)*w], x[i*w:(i+1)*w])
	}
}

// project turns so many rows of the residual stream, from row r on, into
// logits.
func (s *Session) project(r, rows int) error {
	m := s.model
	d := m.Arch.Dim
	s.a.Resize(rows)
	s.normalise(s.a.Data(), s.x[r*d:(r+rows)*d], m.finalNorm)
	s.a.Touch()
	if n := rows * m.Arch.Vocab; n > cap(s.logits) {
		s.logits = make([]float32, n)
	} else {
		s.logits = s.logits[:n]
	}
	logits := s.logits
	s.pool.MatMul(s.a, ops.Product{Dst: logits, W: &m.head.w, Bias: m.head.b})
	if c := m.Arch.LogitScale; c != 1 {
		scale(logits, c)
	}
	if c := m.Arch.LogitSoftcap; c > 0 {
		softcap(logits, c)
	}
	return s.ctx.Err()
}

// divideRows divides each row of b by scales (Lin et al. 2023, AWQ).
func divideRows(b *ops.Batch, scales []float32) {
	for i := range b.Rows() {
		row := b.Row(i)
		for j, c := range scales {
			row[j] /= c
		}
	}
	b.Touch()
}
