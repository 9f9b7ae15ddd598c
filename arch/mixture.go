package arch

import (
	"cmp"
	"fmt"
)

// mixture binds the experts of a layer.
func (b *binder) mixture(i int, h *Hyper, l *Block, is layer) {
	rule, n, ffn := &b.spec.Routing, is.experts, is.ffn
	l.Router = b.linear(Router, Router.Name(i), Required, rule.Bias, h.Dim, n)
	if name := block(i, nameSelectBias); rule.Select != Absent {
		l.SelectBias = b.tensor(BiasName(name), rule.Select, n)
	}
	fused := block(i, nameGateUp) + suffixOfExperts
	switch {
	case b.spec.Gating == Plain, rule.Gateless && b.made == nil && !b.has(WeightName(Gate.ExpertsName(i))):
		l.Up = b.experts(Up, i, h.Dim, ffn, n)
	case rule.Fused && b.has(WeightName(fused)):
		both := Linear{Name: fused, Experts: n, W: b.tensor(WeightName(fused), Required, h.Dim, 2*ffn, n), Rows: ffn}
		l.Gate, l.Up = both, both
		l.Gate.Role, l.Up.Role, l.Up.From = Gate, Up, ffn
	default:
		l.Gate, l.Up = b.experts(Gate, i, h.Dim, ffn, n), b.experts(Up, i, h.Dim, ffn, n)
	}
	l.Down = b.experts(Down, i, ffn, h.Dim, n)
	if shared := is.shared; shared > 0 {
		l.SharedFFN = shared
		l.SharedGate = b.linear(Gate, Gate.SharedName(i), Required, Absent, h.Dim, shared)
		l.SharedUp = b.linear(Up, Up.SharedName(i), Required, Absent, h.Dim, shared)
		l.SharedDown = b.linear(Down, Down.SharedName(i), Required, Absent, shared, h.Dim)
		if rule.SharedGate {
			l.SharedRouter = b.linear(Router, Router.SharedName(i), Required, Absent, h.Dim, 1)
		}
	}
}

// experts binds the matrices of all experts in one role.
func (b *binder) experts(role Role, layer, in, out, n int) Linear {
	name := role.ExpertsName(layer)
	l := Linear{Role: role, Name: name, Experts: n, W: b.tensor(WeightName(name), Required, in, out, n), Rows: out}
	if b.spec.Routing.Bias != Absent {
		l.B = b.tensor(BiasName(name), b.spec.Routing.Bias, out, n)
	}
	return l
}

// expertLayers returns the number of experts of each layer; 0: a plain FFN.
func (r *reader) expertLayers(s *Spec, h *Hyper) []int {
	all := make([]int, h.Layers)
	every := 0
	if s.ExpertsEvery {
		if every = opt(r, keyExpertsEvery, 0); every < 0 {
			r.fail(fmt.Errorf("%s is %d", r.key(keyExpertsEvery), every))
		}
	}
	dense := 0
	if s.LeadingDense {
		dense = opt(r, keyLeadingDense, 0)
	}
	for i := range all {
		if i >= dense && (!s.ExpertsEvery || every > 0 && i%every == 1) {
			all[i] = h.Experts
		}
	}
	return all
}

// routing reads how experts are chosen and how wide they are.
func (r *reader) routing(s *Spec, h *Hyper, shape *layerShape) {
	if h.Experts == 0 {
		return
	}
	rule := &s.Routing
	h.Score, h.Normalize, h.WeightScale = rule.Score, rule.Normalize, 1
	if rule.ScoreKey {
		scores := map[int]Score{0: rule.Score, 1: SoftmaxAll, 2: Sigmoid}
		if rule.SigmoidVocab == h.Vocab {
			scores[0] = Sigmoid
		}
		if rule.Score == SoftmaxChosen { // no default
			need[int](r, keyExpertScore)
		}
		v := opt(r, keyExpertScore, 0)
		score, ok := scores[v]
		if !ok {
			r.fail(fmt.Errorf("%s is %d, want 1 (softmax) or 2 (sigmoid)", r.key(keyExpertScore), v))
		}
		h.Score = score
	}
	if rule.NormKey {
		h.Normalize = opt(r, keyExpertNorm, false)
	}
	if rule.ScaleKey {
		h.WeightScale = float32(cmp.Or(r.float(keyExpertScale, 0), 1))
	}
	h.Groups, h.ActiveGroups = 1, 1
	if rule.GroupKey {
		r.groups(h)
	}
	if rule.Width {
		shape.expertFFN = opt(r, keyExpertFFN, 0)
		if shape.expertFFN == 0 {
			shape.expertFFN = h.FFN
			if rule.Divided {
				shape.expertFFN /= max(h.Active, 1)
			}
		}
		r.positive(keyExpertFFN, shape.expertFFN, maxWidth)
	}
	if rule.Shared != Absent {
		shape.sharedFFN = r.sharedFFN(rule, h, shape.expertFFN)
	}
}

// groups reads how many groups of experts there are, and of how many a token uses some.
func (r *reader) groups(h *Hyper) {
	h.Groups = max(opt(r, keyExpertGroups, 1), 1)
	used := opt(r, keyGroupsUsed, h.Groups)
	if h.Groups == 1 || r.err != nil {
		return
	}
	h.ActiveGroups = r.positive(keyGroupsUsed, used, h.Groups)
	if each := h.Experts / h.Groups; r.err == nil && (h.Experts%h.Groups != 0 || each*h.ActiveGroups < h.Active || each < 2) {
		r.fail(fmt.Errorf("%s is %d, of which a token uses %d: want equal groups of two or more of %d experts that hold the %d of a token",
			r.key(keyExpertGroups), h.Groups, h.ActiveGroups, h.Experts, h.Active))
	}
}

// sharedFFN returns the width of the shared expert; 0: there is none.
func (r *reader) sharedFFN(rule *Routing, h *Hyper, expertFFN int) int {
	width, n := opt(r, keySharedFFN, 0), opt(r, keySharedExperts, 0)
	if r.err == nil && (n < 0 || n > maxExperts) {
		r.fail(fmt.Errorf("%s is %d, want 0 to %d", r.key(keySharedExperts), n, maxExperts))
		return 0
	}
	if r.err == nil && (width < 0 || width > maxWidth) {
		r.fail(fmt.Errorf("%s is %d, want 0 to %d", r.key(keySharedFFN), width, maxWidth))
	}
	if byCount := n * expertFFN; rule.SharedWidth == ByCount && width != 0 && width != byCount {
		r.fail(fmt.Errorf("%s is %d, but %s times the width of an expert is %d", r.key(keySharedFFN), width, r.key(keySharedExperts), byCount))
	} else if rule.SharedWidth == ByCount || rule.SharedWidth == ByCountOrWidth && (n == 0 || width == 0) {
		width = byCount
	}
	if width == 0 && rule.Shared == Required {
		width = h.FFN
	}
	if width > maxWidth {
		r.fail(fmt.Errorf("%s is %d, which makes the shared expert %d wide", r.key(keySharedExperts), n, width))
	}
	return width
}
