package arch

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
