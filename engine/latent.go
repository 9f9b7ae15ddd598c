package engine

import "github.com/normswap/normswap/ops"

// Latent attention (MLA; DeepSeek-AI 2024, arXiv 2405.04434, section 2.1). The keys and
// values of all heads are made of one latent vector c a token. The cache keeps that, and
// heads attend to it, as one key and value that they share: in
//
//	<q, K c> = <K'q, c>  and  sum of p V c = V (sum of p c)
//
// the matrices K and V of a head act on its query and on what it reads. Beside c in the key
// lies the part that RoPE turns.

// latent fills q and k with the queries of the heads and the key of each row, rows of
// HeadDim elements a head: those that RoPE turns, then those for the latent.
func (p *pass) latent(b *block, in *ops.Input, q, k []float32) {
	a, n := p.model.Arch, p.rows
	turned := a.HeadDim - a.KVLatent
	work := p.work[len(q)+len(k):]
	take := func(width int) []float32 {
		x := work[:n*width]
		work = work[n*width:]
		return x
	}
	latent, rope, queries := take(a.KVLatent), take(turned), take(b.Heads*a.KeyDim)
	first := queries
	if b.qNorm != nil {
		first = take(a.QLatent)
	}
	p.apply(in, output{l: &b.q, y: first}, output{l: &b.k, y: latent}, output{l: &b.kRope, y: rope})
	p.normQKV(b, first, latent, nil)
	if b.qNorm != nil {
		p.pool.Prepare(&p.out, first, a.QLatent, p.forms(b.qHeads.forms))
		p.apply(&p.out, output{l: &b.qHeads, y: queries})
	}
	for r := range n {
		key := row(k, r, a.HeadDim)
		copy(key, row(rope, r, turned))
		copy(key[turned:], row(latent, r, a.KVLatent))
	}
	rest := a.KeyDim - turned
	for i := range n * b.Heads {
		copy(row(q, i, a.HeadDim)[:turned], row(queries, i, a.KeyDim)[rest:])
	}
	p.eachHead(b.kHeads, heads{q, a.HeadDim, turned}, heads{queries, a.KeyDim, 0}, work)
}

// values returns the values that the heads have read: rows of ValueDim elements a head, of
// what they have read of the latents.
func (p *pass) values(b *block, read []float32) []float32 {
	a := p.model.Arch
	out := p.work[len(read):][:p.rows*b.Heads*a.ValueDim]
	p.eachHead(b.vHeads, heads{out, a.ValueDim, 0}, heads{read, a.HeadDim, a.HeadDim - a.KVLatent}, p.work[len(read)+len(out):])
	return out
}

// heads are rows of heads of the given width, of which the elements from a first one on
// are meant.
type heads struct {
	x           []float32
	width, from int
}

// eachHead fills dst with what the matrix of each head makes of src. work is scratch.
func (p *pass) eachHead(matrices []linear, dst, src heads, work []float32) {
	for h := range matrices {
		l := &matrices[h]
		x, y := work[:p.rows*l.w.Cols], work[p.rows*l.w.Cols:][:p.rows*l.w.Rows]
		for r := range p.rows {
			copy(row(x, r, l.w.Cols), row(src.x, r*len(matrices)+h, src.width)[src.from:])
		}
		p.pool.Prepare(&p.out, x, l.w.Cols, p.forms(l.forms))
		p.apply(&p.out, output{l: l, y: y})
		for r := range p.rows {
			copy(row(dst.x, r*len(matrices)+h, dst.width)[dst.from:], row(y, r, l.w.Rows))
		}
	}
}
