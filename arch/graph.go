package arch

import (
	"slices"

	"github.com/normswap/normswap/gguf"
)

// Norms lists every norm of the graph in the order of evaluation.
func (m *Model) Norms() []*Norm {
	var all []*Norm
	add := func(ns ...*Norm) {
		for _, n := range ns {
			if n != nil {
				all = append(all, n)
			}
		}
	}
	add(m.EmbedNorm)
	if m.AltUp != nil {
		add(m.AltUp.InputNorm)
	}
	for i := range m.Blocks {
		add(m.Blocks[i].norms()...)
	}
	add(m.FinalNorm, m.ClassNorm)
	return all
}

// norms lists the norms of a block in the order of evaluation; nil ones are
// absent.
func (b *Block) norms() []*Norm {
	all := []*Norm{b.AttnNorm, b.QNorm, b.KNorm, b.VNorm, b.BNorm, b.CNorm, b.StepNorm, b.AttnPost, b.AttnSum, b.AttnSum2, b.FFNNorm, b.FFNPost, b.FFNSum}
	if u := b.AltUp; u != nil {
		all = slices.Insert(all, slices.Index(all, b.AttnPost)+1, u.LaurelNorm)
		all = append(append([]*Norm{u.RouterNorm}, all...), u.CorrectNorm, u.InputNorm)
	}
	return all
}

// Linears lists the matrices of a block in the order of evaluation.
func (b *Block) Linears() []*Linear {
	all := present(&b.In, &b.ScanIn, &b.Step, &b.Q, &b.K, &b.KRope, &b.V, &b.QHeads, &b.KHeads, &b.VHeads, &b.O, &b.Router, &b.Gate, &b.Up, &b.Down,
		&b.SharedRouter, &b.SharedGate, &b.SharedUp, &b.SharedDown)
	if u := b.AltUp; u != nil {
		all = append(all, present(&u.Router, &u.Predict, &u.Correct, &u.LaurelL, &u.LaurelR, &u.InputGate, &u.InputProject)...)
	}
	return all
}

// Outlets lists the matrices outside the blocks.
func (m *Model) Outlets() []*Linear {
	all := present(&m.EmbedProject, &m.Head, &m.Dense2, &m.Dense3, &m.ClassDense, &m.ClassOut)
	if u := m.AltUp; u != nil {
		all = append(all, present(&u.InputModel, &u.Widen, &u.Merge)...)
	}
	return all
}

// present returns those of some matrices that there are.
func present(some ...*Linear) []*Linear {
	return slices.DeleteFunc(some, func(l *Linear) bool { return l.W == nil })
}

// Tensors lists the tensors of a layer, or, for layer -1, those outside the
// layers: each once.
func (m *Model) Tensors(layer int) []*gguf.Tensor {
	var all []*gguf.Tensor
	add := func(ts ...*gguf.Tensor) {
		for _, t := range ts {
			if t != nil && !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	norms := []*Norm{m.EmbedNorm, m.FinalNorm, m.ClassNorm}
	linears := m.Outlets()
	if layer < 0 {
		add(m.Embed, m.TokenTypes, m.Positions, m.PositionBias)
		if m.AltUp != nil {
			add(m.AltUp.InputEmbed)
			norms = append(norms, m.AltUp.InputNorm)
		}
	} else {
		b := &m.Blocks[layer]
		norms, linears = b.norms(), b.Linears()
		add(b.FFNScales, b.SelectBias, b.Sinks, b.Conv, b.A, b.D)
		if b.AltUp != nil {
			add(b.AltUp.CorrectScale)
		}
	}
	for _, n := range norms {
		if n != nil {
			add(n.Gain, n.Bias)
		}
	}
	for _, l := range linears {
		add(l.W, l.B)
	}
	return all
}

// A Writer is a term that is added to the residual stream.
type Writer struct {
	Name  string // tensor name without suffix, or the site of a norm
	Layer int    // -1 outside the blocks
	// Exactly one of the following.
	Rows   *gguf.Tensor // a table: each stored row is one term (embeddings, positions)
	Linear *Linear      // a matrix: its output, bias included, is the term
	Norm   *Norm        // a norm: its output is the term (BLOOM's embedding norm, post-norms), or the stream (norms of sums)
}

// Writers lists what writes the residual stream, in the order of evaluation.
func (m *Model) Writers() []Writer {
	var all []Writer
	switch {
	case m.EmbedProject.W != nil:
		all = append(all, Writer{Name: m.EmbedProject.Name, Layer: -1, Linear: &m.EmbedProject})
	case m.EmbedNorm != nil:
		all = append(all, Writer{Name: m.EmbedNorm.Site, Layer: -1, Norm: m.EmbedNorm})
	default:
		all = append(all, Writer{Name: NameEmbed, Layer: -1, Rows: m.Embed})
		if m.TokenTypes != nil {
			all = append(all, Writer{Name: nameTokenTypes, Layer: -1, Rows: m.TokenTypes})
		}
		if m.Positions != nil {
			all = append(all, Writer{Name: namePositions, Layer: -1, Rows: m.Positions})
		}
	}
	for i := range m.Blocks {
		l := &m.Blocks[i]
		for _, branch := range []struct {
			out  *Linear
			post *Norm
			sums []*Norm
		}{{&l.O, l.AttnPost, []*Norm{l.AttnSum, l.AttnSum2}}, {&l.Down, l.FFNPost, []*Norm{l.FFNSum}}} {
			if branch.post != nil {
				all = append(all, Writer{Name: branch.post.Site, Layer: i, Norm: branch.post})
			} else {
				all = append(all, Writer{Name: branch.out.Name, Layer: i, Linear: branch.out})
			}
			if branch.out == &l.Down && l.SharedDown.W != nil {
				all = append(all, Writer{Name: l.SharedDown.Name, Layer: i, Linear: &l.SharedDown})
			}
			for _, sum := range branch.sums {
				if sum != nil {
					all = append(all, Writer{Name: sum.Site, Layer: i, Norm: sum})
				}
			}
		}
	}
	return all
}

// Readers lists all matrices that read the output of norm n, in the order of
// evaluation. It is empty for norms whose output is not read by matrices (on
// queries and keys, after branches) or is the residual stream (on the embedding,
// on sums), and for the last norm of an encoder, behind which is the pooling.
func (m *Model) Readers(n *Norm) []*Linear {
	switch {
	case n == m.FinalNorm:
		return present(&m.Head)
	case n == m.ClassNorm:
		return present(&m.ClassOut)
	case n == m.EmbedNorm:
		return present(&m.EmbedProject)
	case n.Layer < 0:
		return nil
	}
	b := &m.Blocks[n.Layer]
	switch n {
	case b.AttnNorm:
		if b.ffnReads() == n {
			return append(b.attnReaders(), b.ffnReaders()...)
		}
		return b.attnReaders()
	case b.FFNNorm:
		return b.ffnReaders()
	}
	if u := b.AltUp; u != nil && (n == u.RouterNorm || n == u.CorrectNorm) {
		return present(&b.AltUp.Router)
	}
	return nil
}

// BareReaders lists the matrices that read the residual stream without a
// norm before them.
func (m *Model) BareReaders() []*Linear {
	var bare []*Linear
	for i := range m.Blocks {
		b := &m.Blocks[i]
		if b.AttnNorm == nil {
			bare = append(bare, b.attnReaders()...)
		}
		if b.ffnReads() == nil {
			bare = append(bare, b.ffnReaders()...)
		}
	}
	return bare
}

// attnReaders lists the matrices that read what attention reads.
func (b *Block) attnReaders() []*Linear {
	switch {
	case b.Recurrent():
		return present(&b.In)
	case b.KVHeads == 0:
		return present(&b.O)
	}
	all := present(&b.Q, &b.K, &b.KRope, &b.V)
	if b.AltUp != nil {
		all = append(all, &b.AltUp.LaurelL)
	}
	return all
}

// ffnReaders lists the matrices that read what the FFN reads.
func (b *Block) ffnReaders() []*Linear {
	return present(&b.Router, &b.Gate, &b.Up, &b.SharedRouter, &b.SharedGate, &b.SharedUp)
}

// ffnReads returns the norm whose output the FFN reads; nil if it reads the
// residual stream.
func (b *Block) ffnReads() *Norm {
	if b.FFNNorm == nil && b.Parallel {
		return b.AttnNorm
	}
	return b.FFNNorm
}

// Projection returns the matrix whose output norm n reads; nil if n does not
// act on queries or keys.
func (m *Model) Projection(n *Norm) *Linear {
	if n.Layer < 0 {
		return nil
	}
	switch b := &m.Blocks[n.Layer]; n {
	case b.QNorm:
		return &b.Q
	case b.KNorm:
		return &b.K
	}
	return nil
}
