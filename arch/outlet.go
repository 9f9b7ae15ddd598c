package arch

import "fmt"

// outlet reads what becomes of hidden vectors.
func (r *reader) outlet(s *Spec, h *Hyper) {
	if p := opt(r, keyPooling, int(PoolNone)); p < 0 || p > int(PoolRank) {
		r.fail(fmt.Errorf("%s is %d, want 0 (none) to 4 (rank)", r.key(keyPooling), p))
	} else {
		h.Pooling = Pooling(p)
	}
	if s.Encoder {
		r.read[keyCausal] = true // llama.cpp looks at it neither
	}
	if s.Classifier.Pooling != PoolNone {
		h.Labels = opt(r, keyLabels, []string(nil))
	}
	if s.Dense != Absent {
		h.Dense = r.positive(keyDense2Out, opt(r, keyDense2Out, h.Dim), maxWidth)
		if in := opt(r, keyDense3In, h.Dense); r.err == nil && in != h.Dense {
			r.fail(fmt.Errorf("%s is %d, but %s is %d", r.key(keyDense3In), in, r.key(keyDense2Out), h.Dense))
		}
	}
}

// outlet binds what makes embeddings and scores of hidden vectors.
func (b *binder) outlet(m *Model) {
	s := b.spec
	if s.TokenTypes != Absent && b.err == nil {
		name, types := WeightName(nameTokenTypes), 1
		if t, ok := b.find(name); ok && len(t.Dims) == 2 {
			types = max(t.Dims[1], 1)
		}
		m.TokenTypes = b.tensor(name, s.TokenTypes, m.EmbedDim, types)
	}
	if s.Dense != Absent {
		m.Dense2 = b.linear(Dense2, Dense2.Name(-1), s.Dense, Absent, m.Dim, m.Dense)
		if m.Dense2.W != nil {
			m.Dense3 = b.linear(Dense3, Dense3.Name(-1), Required, Absent, m.Dense, m.Dim)
		}
	}
	if c := s.Classifier; c.Pooling != PoolNone {
		rows := c.DenseRows
		if rows == 0 {
			rows = m.Dim
		}
		m.ClassDense = b.linear(ClassDense, ClassDense.Name(-1), Optional, Optional, m.Dim, rows)
		if c.Norm && m.ClassDense.W != nil {
			m.ClassNorm = b.norm(InClassifier, -1, NormSpec{Name: nameClassNorm, Gain: Optional, Optional: true}, m.Dim)
		}
		if c.DenseRows == 0 {
			m.ClassOut = b.linear(ClassOut, ClassOut.Name(-1), Optional, Optional, m.Dim, max(1, len(m.Labels)))
		}
	}
}

// Scores returns the number of scores of the classification head, 0 if the
// model has none.
func (m *Model) Scores() int {
	if m.ClassOut.W != nil {
		return m.ClassOut.Rows
	}
	if m.ClassDense.W != nil {
		return m.ClassDense.Rows
	}
	return 0
}

// gating returns the form of an FFN whose architecture leaves it to the file.
func (b *binder) gating(layer, ffn int) Gating {
	if b.has(WeightName(Gate.Name(layer))) {
		return Gated
	}
	if up, ok := b.find(WeightName(Up.Name(layer))); ok && len(up.Dims) == 2 && up.Dims[1] == 2*ffn {
		return FusedGate
	}
	return Plain
}
