package engine

import (
	"math"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/ops"
)

// mixture is the memory of a pass for mixtures of experts.
type mixture struct {
	scores []float32 // router scores, then weights; 0 where not chosen [rows, experts]
	sum    []float32 // of what the experts write, where that is not added at once [rows, Dim]
	rows   []float32 // rows of one expert, side by side [rows, Dim]
	in     ops.Input // the same for its matrices
	chosen []bool    // [experts]
	of     []int     // which rows those are
}

// addExperts returns x plus, for each row, the weighted FFNs of the experts that
// the router scores highest.
func (p *pass) addExperts(x []float32, b *block, in *ops.Input) []float32 {
	m, d, n, count := p.model, p.model.Arch.Dim, in.Count(), len(b.experts)
	e := &p.experts
	e.scores, e.chosen = sized(e.scores, n*count), sized(e.chosen, count)
	p.apply(in, output{l: &b.router, y: e.scores})
	sum := x
	if b.ffnNorm == nil && !b.Parallel { // the experts read x itself
		e.sum = sized(e.sum, len(x))
		clear(e.sum)
		sum = e.sum
	}
	for r := range n {
		choose(row(e.scores, r, count), m.Arch.Active, e.chosen, m.Arch.Spec.Routing)
	}
	for i := range b.experts {
		expert := &b.experts[i]
		e.of, e.rows = e.of[:0], e.rows[:0]
		for r := range n {
			if e.scores[r*count+i] != 0 {
				e.of, e.rows = append(e.of, r), append(e.rows, in.Row(r)...)
			}
		}
		if len(e.of) == 0 {
			continue
		}
		p.pool.Prepare(&e.in, e.rows, d, p.forms(expert.up.forms|expert.gate.forms))
		h := p.hidden(b, &expert.gate, &expert.up, &expert.down, &e.in)
		p.branch = sized(p.branch, len(e.of)*d)
		p.apply(h, output{l: &expert.down, y: p.branch})
		for j, r := range e.of {
			to, weight := row(sum, r, d), e.scores[r*count+i]
			for c, v := range row(p.branch, j, d) {
				to[c] += weight * v
			}
		}
	}
	if b.ffnNorm == nil && !b.Parallel {
		p.pool.Add(x, sum, d)
	}
	return x
}

// choose turns router scores into the weights of the k highest, by the rule of
// the architecture, and sets the others to 0. Of equal scores the first wins.
// chosen is scratch of the same length.
func choose(scores []float32, k int, chosen []bool, rule arch.Routing) {
	clear(chosen)
	var sum float64
	var top float32
	for i := range k {
		best := -1
		for j, v := range scores {
			if !chosen[j] && (best < 0 || v > scores[best]) {
				best = j
			}
		}
		if i == 0 {
			top = scores[best]
		}
		chosen[best] = true
		sum += math.Exp(float64(scores[best] - top))
	}
	if rule.Score == arch.SoftmaxAll {
		sum = 0
		for _, v := range scores {
			sum += math.Exp(float64(v - top))
		}
	}
	for j, v := range scores {
		scores[j] = 0
		if chosen[j] {
			scores[j] = float32(math.Exp(float64(v-top)) / sum)
		}
	}
}
