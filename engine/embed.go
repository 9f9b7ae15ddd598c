package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/ops"
)

// EmbedOptions say what [Model.Embed] makes of sequences.
type EmbedOptions struct {
	// Pooling, if not nil, takes the place of what the file asks for.
	Pooling *arch.Pooling
	// Normalize divides each vector by its Euclidean norm. Scores of a
	// classification head stay as they are.
	Normalize bool
	// Truncate cuts sequences that are longer than the context of the model,
	// in place of an error. A token that ends the sequence stays the last.
	Truncate bool
	// Tap, if any, is called at the norms of the graph.
	Tap *Tap
	// Progress, if not nil, is called with the number of sequences that are
	// done, and of all.
	Progress func(done, total int64)
}

// ErrNoScores tells that a model has no classification head.
var ErrNoScores = errors.New("the model has no classification head, and gives no scores")

// A TooLongError tells that a sequence is longer than the context of the model.
type TooLongError struct{ Sequence, Tokens, Context int }

func (e *TooLongError) Error() string {
	return fmt.Sprintf("engine: sequence %d has %d tokens, the context is %d", e.Sequence, e.Tokens, e.Context)
}

// Embed returns for each sequence one vector: of the width of the model, or the
// scores of its classification head. Without pooling it is the vectors of all
// tokens, one after the other. Encoders see each sequence whole; decoders see at
// each token what is before it.
//
// Sequences are computed side by side, and none sees another: a vector is the
// same to the last bit whatever is beside it.
func (m *Model) Embed(ctx context.Context, sequences [][]int32, o EmbedOptions) ([][]float32, error) {
	pooling := m.Arch.Pooling
	if o.Pooling != nil {
		pooling = *o.Pooling
	}
	if pooling == arch.PoolRank && m.Arch.Scores() == 0 {
		return nil, fmt.Errorf("engine: %s: %w", m.Arch.Spec.Name, ErrNoScores)
	}
	sequences, err := m.fit(sequences, o.Truncate)
	if err != nil {
		return nil, err
	}
	p, err := m.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer m.release(p)
	var all [][]float32
	err = m.File.Guard(func() error {
		for len(all) < len(sequences) {
			x, err := p.forward(p.pack(sequences[len(all):], o.Tap)...)
			if err != nil {
				return err
			}
			if f := m.finalNorm; f != nil {
				f.apply(p.pool, x, x, p.positions)
			}
			vectors := p.outlet(x, pooling)
			for i, v := range vectors {
				if j := notFinite(v); j >= 0 {
					return p.embeddingError(len(all)+i, sequences[len(all)+i], j, v[j])
				}
				if o.Normalize && pooling != arch.PoolRank {
					normalizeRows(v, m.Arch.Dim)
				}
			}
			all = append(all, vectors...)
			if o.Progress != nil {
				o.Progress(int64(len(all)), int64(len(sequences)))
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Trace takes a sequence through the blocks for a tap alone.
func (m *Model) Trace(ctx context.Context, tokens []int32, tap *Tap) error {
	if m.Arch.Spec.Encoder {
		pooling := arch.PoolNone
		_, err := m.Embed(ctx, [][]int32{tokens}, EmbedOptions{Pooling: &pooling, Tap: tap})
		return err
	}
	s, err := m.NewSession(SessionOptions{Context: len(tokens), Tap: tap})
	if err != nil {
		return err
	}
	return s.Append(ctx, tokens)
}

// fit checks sequences and cuts those that are too long, if that is wanted.
func (m *Model) fit(sequences [][]int32, truncate bool) ([][]int32, error) {
	var fitted [][]int32
	most := m.Context()
	for i, tokens := range sequences {
		if len(tokens) == 0 {
			return nil, fmt.Errorf("engine: sequence %d has no tokens", i)
		}
		for _, id := range tokens {
			if id < 0 || int(id) >= m.Arch.Vocab {
				return nil, fmt.Errorf("engine: token %d of sequence %d is not in the vocabulary of %d", id, i, m.Arch.Vocab)
			}
		}
		if len(tokens) > most {
			if !truncate {
				return nil, &TooLongError{i, len(tokens), most}
			}
			last := tokens[len(tokens)-1]
			tokens = slices.Clone(tokens[:most])
			if m.ends(last) {
				tokens[most-1] = last
			}
		}
		fitted = append(fitted, tokens)
	}
	return fitted, nil
}

// ends reports whether a token marks the end of a sequence.
func (m *Model) ends(id int32) bool {
	if m.tokErr != nil {
		return false
	}
	eos, hasEOS := m.tok.EOS()
	sep, hasSEP := m.tok.SEP()
	return hasEOS && id == eos || hasSEP && id == sep
}

// pack returns the first of some sequences, as many as a pass takes at once.
func (p *pass) pack(sequences [][]int32, tap *Tap) []segment {
	var packed []segment
	rows := 0
	for _, tokens := range sequences {
		if rows += len(tokens); rows > p.model.batch && packed != nil {
			break
		}
		packed = append(packed, segment{tap: tap, tokens: tokens})
	}
	return packed
}

// outlet makes vectors of the hidden vectors of the sequences of a pass.
func (p *pass) outlet(x []float32, pooling arch.Pooling) [][]float32 {
	m, d := p.model, p.model.Arch.Dim
	scores := pooling == arch.PoolRank
	if scores {
		pooling = m.Arch.Spec.Classifier.Pooling
	}
	pooled, counts := x, p.lengths // rows, and how many of each sequence
	if pooling != arch.PoolNone {
		pooled, counts = make([]float32, len(p.segments)*d), slices.Repeat([]int{1}, len(p.segments))
		for i, s := range p.segments {
			pool(row(pooled, i, d), x[s.row*d:(s.row+len(s.tokens))*d], pooling)
		}
	}
	width := d
	switch {
	case scores:
		pooled, width = p.scores(pooled), m.Arch.Scores()
	case m.dense2.w.Rows > 0:
		pooled = p.linear(&m.dense3, p.linear(&m.dense2, pooled))
	}
	all := make([][]float32, len(counts))
	for i, n := range counts {
		all[i] = slices.Clone(pooled[:n*width])
		pooled = pooled[n*width:]
	}
	return all
}

// scores returns those that the classification head gives rows.
func (p *pass) scores(x []float32) []float32 {
	m := p.model
	if m.classDense.w.Rows > 0 {
		x = p.linear(&m.classDense, x)
		if act := m.Arch.Spec.Classifier.Activation; act == arch.Tanh {
			for i, v := range x {
				x[i] = float32(math.Tanh(float64(v)))
			}
		} else {
			p.pool.Activate(m.activationOf(act), x, x)
		}
		if m.classNorm != nil {
			m.classNorm.apply(p.pool, x, x, nil)
		}
	}
	if m.classOut.w.Rows > 0 {
		x = p.linear(&m.classOut, x)
	}
	return x
}

// linear returns what l makes of rows.
func (p *pass) linear(l *linear, x []float32) []float32 {
	p.pool.Prepare(&p.out, x, l.w.Cols, p.forms(l.forms))
	y := make([]float32, p.out.Count()*l.w.Rows)
	p.apply(&p.out, output{l: l, y: y})
	return y
}

// pool makes one vector of the rows of a sequence.
func pool(dst, x []float32, pooling arch.Pooling) {
	d := len(dst)
	n := len(x) / d
	switch pooling {
	case arch.PoolMean:
		for j := range dst {
			var sum float64
			for i := range n {
				sum += float64(x[i*d+j])
			}
			dst[j] = float32(sum / float64(n))
		}
	case arch.PoolLast:
		copy(dst, row(x, n-1, d))
	default:
		copy(dst, x)
	}
}

// normalizeRows divides each row of x by its Euclidean norm; zeros stay.
func normalizeRows(x []float32, width int) {
	for i := range len(x) / width {
		v := row(x, i, width)
		if norm := math.Sqrt(ops.SumSquares(v)); norm > 0 {
			scale(v, float32(1/norm))
		}
	}
}
