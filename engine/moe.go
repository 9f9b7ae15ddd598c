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
	gates  []float32 // of the shared expert [rows]
	rows   []float32 // rows of one expert, side by side [rows, Dim]
	in     ops.Input // the same for its matrices
	ranks  []float32 // by what experts are chosen [experts]
	chosen []bool    // [experts]
	of     []int     // which rows those are
}

// addExperts returns x plus, for each row, the weighted FFNs of the experts that
// the router scores highest, and of the shared one.
func (p *pass) addExperts(x []float32, b *block, in *ops.Input) []float32 {
	a, d, n, count := p.model.Arch, p.model.Arch.Dim, in.Count(), len(b.experts)
	e := &p.experts
	e.scores, e.ranks, e.chosen = sized(e.scores, n*count), sized(e.ranks, count), sized(e.chosen, count)
	p.apply(in, output{l: &b.router, y: e.scores})
	for r := range n {
		choose(row(e.scores, r, count), e.ranks, e.chosen, b.selectBias, a)
	}
	factor := a.ResidualScale
	if a.Spec.Routing.Half && b.shared.down.w.Rows > 0 {
		factor /= 2
	}
	sum := x
	watched := p.watched()
	apart := factor != 1 || b.ffnNorm == nil && !b.Parallel || watched // or the experts read x itself
	if apart {
		e.sum = sized(e.sum, len(x))
		clear(e.sum)
		sum = e.sum
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
		h := p.hidden(&expert.gate, &expert.up, &expert.down, b, &e.in)
		p.branch = sized(p.branch, len(e.of)*d)
		p.apply(h, output{l: &expert.down, y: p.branch})
		for j, r := range e.of {
			addWeighted(row(sum, r, d), row(p.branch, j, d), e.scores[r*count+i])
		}
	}
	p.addShared(sum, b, in)
	if apart {
		if factor != 1 {
			scale(sum, factor)
		}
		p.pool.Add(x, sum, d)
	}
	if watched {
		p.branch = append(p.branch[:0], sum...)
	}
	return x
}

// addShared adds to sum what the expert writes that every token uses.
func (p *pass) addShared(sum []float32, b *block, in *ops.Input) {
	shared, d := &b.shared, p.model.Arch.Dim
	if shared.down.w.Rows == 0 {
		return
	}
	h := p.hidden(&shared.gate, &shared.up, &shared.down, b, in)
	if b.sharedRouter.w.Rows == 0 {
		p.apply(h, output{l: &shared.down, y: sum, add: true})
		return
	}
	e := &p.experts
	e.gates, p.branch = sized(e.gates, in.Count()), sized(p.branch, len(sum))
	p.apply(h, output{l: &shared.down, y: p.branch})
	p.apply(in, output{l: &b.sharedRouter, y: e.gates})
	for r, g := range e.gates {
		addWeighted(row(sum, r, d), row(p.branch, r, d), float32(1/(1+math.Exp(-float64(g)))))
	}
}

func addWeighted(to, x []float32, weight float32) {
	for i, v := range x {
		to[i] += weight * v
	}
}

// leastSum is by what a sum of weights is divided at least, as in llama.cpp.
const leastSum = 0x1p-14

// choose turns router scores into the weights of the experts of the highest,
// by the rule of the architecture, and sets the others to 0. Of equal scores the
// first wins. bias, if there is one, counts for the choice alone; ranks and chosen
// are scratch of the same length.
func choose(scores, ranks []float32, chosen []bool, bias []float32, rule *arch.Model) {
	clear(chosen)
	switch rule.Score {
	case arch.Sigmoid:
		for i, v := range scores {
			scores[i] = float32(1 / (1 + math.Exp(-float64(v))))
		}
	case arch.SoftmaxAll:
		ops.Softmax(scores)
	}
	copy(ranks, scores)
	for j, v := range bias {
		ranks[j] += v
	}
	if rule.Groups > 1 {
		keepGroups(ranks, rule)
	}
	var top float32
	var sum float64
	for i := range rule.Active {
		best, most := -1, float32(0)
		for j, v := range ranks {
			if !chosen[j] && (best < 0 || v > most) {
				best, most = j, v
			}
		}
		if i == 0 {
			top = most
		}
		chosen[best] = true
		if v := scores[best]; rule.Score == arch.SoftmaxChosen {
			sum += math.Exp(float64(v - top))
		} else {
			sum += float64(v)
		}
	}
	for j, v := range scores {
		switch {
		case !chosen[j]:
			scores[j] = 0
		case rule.Score == arch.SoftmaxChosen:
			scores[j] = float32(math.Exp(float64(v-top)) / sum)
		case rule.Normalize:
			scores[j] = float32(float64(v) / max(sum, leastSum) * float64(rule.WeightScale))
		default:
			scores[j] = v * rule.WeightScale
		}
	}
}

// keepGroups sets the ranks of experts outside the best groups to -Inf.
func keepGroups(ranks []float32, rule *arch.Model) {
	each, inf := len(ranks)/rule.Groups, float32(math.Inf(-1))
	worth := make([]float32, rule.Groups)
	for g := range worth {
		first, second := inf, inf
		for _, v := range ranks[g*each:][:each] {
			first, second = max(first, v), max(second, min(first, v))
		}
		if worth[g] = first; rule.Score == arch.Sigmoid {
			worth[g] += second
		}
	}
	for g, w := range worth {
		better := 0 // groups; of equal ones the first
		for other, v := range worth {
			if v > w || v == w && other < g {
				better++
			}
		}
		if better >= rule.ActiveGroups {
			for j := range each {
				ranks[g*each+j] = inf
			}
		}
	}
}
