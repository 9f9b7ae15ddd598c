package engine

import (
	"math"

	"github.com/normswap/normswap/ops"
)

// moe is the scratch of a mixture of experts.
type moe struct {
	scores []float32 // rows x experts: router scores, then weights; 0 where not chosen
	in     *ops.Batch
	taken  []bool
	rows   []int
}

func (e *moe) init(m *Model, n int) {
	a := m.Arch
	e.scores = make([]float32, n*a.Experts)
	e.in = ops.NewBatch(n, a.Dim)
	e.in.Float = m.opts.FloatActivations
	e.taken = make([]bool, a.Experts)
	e.rows = make([]int, 0, n)
}

// mixture adds to each row of the residual stream the FFNs of the experts
// that the router scores highest, weighted by the softmax over their scores.
func (s *Session) mixture(b *block, x *ops.Batch, n int) {
	m, d := s.model, s.model.Arch.Dim
	count := len(b.experts)
	e := &s.moe
	scores := e.scores[:n*count]
	s.pool.MatMul(x, ops.Product{Dst: scores, W: &b.router.w, Bias: b.router.b})
	for i := range n {
		choose(scores[i*count:(i+1)*count], m.Arch.Active, e.taken)
	}
	for i := range b.experts {
		e.rows = e.rows[:0]
		for r := range n {
			if scores[r*count+i] != 0 {
				e.rows = append(e.rows, r)
			}
		}
		if len(e.rows) == 0 {
			continue
		}
		e.in.Resize(len(e.rows))
		for j, r := range e.rows {
			copy(e.in.Row(j), x.Row(r))
		}
		e.in.Touch()
		s.hidden(b.Block, &b.experts[i].gate, &b.experts[i].up, e.in)
		written := s.written(&b.experts[i].down)
		for j, r := range e.rows {
			row, w := s.x[r*d:(r+1)*d], scores[r*count+i]
			for c, v := range written[j*d : (j+1)*d] {
				row[c] += w * v
			}
		}
	}
}

// choose turns router scores into the weights of the k highest, the softmax
// over those, and sets the others to 0. Of equal scores the first wins.
// taken is scratch of the same length.
func choose(scores []float32, k int, taken []bool) {
	clear(taken)
	var sum float64
	var top float32
	for i := range k {
		best := -1
		for j, v := range scores {
			if !taken[j] && (best < 0 || v > scores[best]) {
				best = j
			}
		}
		if i == 0 {
			top = scores[best]
		}
		taken[best] = true
		sum += math.Exp(float64(scores[best] - top))
	}
	for j, v := range scores {
		scores[j] = 0
		if taken[j] {
			scores[j] = float32(math.Exp(float64(v-top)) / sum)
		}
	}
}
