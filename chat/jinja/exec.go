package jinja

// A stmt is a node of the syntax tree that does something.
type stmt interface {
	exec(in *interp, sc *scope) jump
}

// A jump is how a statement ends.
type jump int

const (
	goOn  jump = iota
	stop       // break
	again      // continue
)

type (
	dataStmt   struct{ text Str }
	outputStmt struct {
		line  int
		parts []expr
	}
	ifStmt struct {
		line      int
		tests     []expr
		bodies    [][]stmt
		otherwise []stmt
	}
	setStmt struct {
		line   int
		target target
		value  expr
	}
	setBlockStmt struct {
		line   int
		target target
		filter expr // may be nil
		body   []stmt
	}
	filterStmt struct {
		line   int
		filter expr
		body   []stmt
	}
	withStmt struct {
		line    int
		targets []target
		values  []expr
		body    []stmt
	}
	macroStmt struct{ node *macroNode }
	callStmt  struct {
		call *callExpr // nil: the body itself
		body *macroNode
	}
	blockStmt struct {
		line   int
		name   string
		scoped bool
		body   []stmt
	}
	jumpStmt  struct{ to jump }
	raiseStmt struct {
		line      int
		kind, msg string
	}
)

// execAll runs statements up to one that jumps.
func (in *interp) execAll(body []stmt, sc *scope) jump {
	in.enter()
	defer in.leave()
	for _, s := range body {
		in.step(1)
		if j := s.exec(in, sc); j != goOn {
			return j
		}
	}
	return goOn
}

func (in *interp) write(v Value) {
	if in.out.in == nil {
		in.out.in = in
	}
	in.writeStr(&in.out, v)
}

func (s *dataStmt) exec(in *interp, _ *scope) jump {
	in.write(s.text)
	return goOn
}

func (s *outputStmt) exec(in *interp, sc *scope) jump {
	for _, part := range s.parts {
		v := in.eval(part, sc)
		in.line = s.line
		in.write(v)
	}
	return goOn
}

func (s *ifStmt) exec(in *interp, sc *scope) jump {
	for i, test := range s.tests {
		if in.truth(in.eval(test, sc)) {
			return in.execAll(s.bodies[i], sc)
		}
	}
	return in.execAll(s.otherwise, sc)
}

func (s *setStmt) exec(in *interp, sc *scope) jump {
	v := in.eval(s.value, sc)
	in.line = s.line
	s.target.assign(in, sc, v)
	return goOn
}

func (s *setBlockStmt) exec(in *interp, sc *scope) jump {
	inner := &scope{parent: sc}
	var v Value = in.capture(func() { in.execAll(s.body, inner) })
	if s.filter != nil {
		v = in.eval(s.filter, &scope{vars: []variable{{bodyName, v}}, parent: inner})
	}
	in.line = s.line
	s.target.assign(in, sc, v)
	return goOn
}

// bodyName is the variable that holds the body of a block for its filter. No
// program can spell it.
const bodyName = "{body}"

func (s *filterStmt) exec(in *interp, sc *scope) jump {
	inner := &scope{parent: sc}
	var j jump
	v := in.capture(func() { j = in.execAll(s.body, inner) })
	if j != goOn {
		return j
	}
	in.write(in.eval(s.filter, &scope{vars: []variable{{bodyName, v}}, parent: inner}))
	return goOn
}

func (s *withStmt) exec(in *interp, sc *scope) jump {
	inner := &scope{parent: sc}
	for i, target := range s.targets {
		target.assign(in, inner, in.eval(s.values[i], sc))
	}
	return in.execAll(s.body, inner)
}

func (s *macroStmt) exec(in *interp, sc *scope) jump {
	in.items(2)
	sc.set(s.node.name, &macro{s.node, sc})
	return goOn
}

func (s *callStmt) exec(in *interp, sc *scope) jump {
	body := &macro{s.body, sc}
	if s.call == nil {
		in.write(body.call(&call{in: in, name: "caller"}))
		return goOn
	}
	f := in.eval(s.call.of, sc)
	c := in.bind(s.call.args, sc)
	in.line = s.call.line
	for _, n := range c.names {
		if n == "caller" {
			in.fail(kindType, "got multiple values for keyword argument 'caller'")
		}
	}
	c.names, c.named = append(c.names, "caller"), append(c.named, body)
	in.write(in.call(f, c))
	return goOn
}

func (s *blockStmt) exec(in *interp, sc *scope) jump {
	outer := in.root
	if s.scoped {
		outer = sc
	}
	return in.execAll(s.body, &scope{parent: outer})
}

func (s *jumpStmt) exec(*interp, *scope) jump { return s.to }

func (s *raiseStmt) exec(in *interp, _ *scope) jump {
	in.line = s.line
	in.fail(s.kind, "%s", s.msg)
	return goOn
}

// A target is what a value is assigned to.
type target interface {
	assign(in *interp, sc *scope, v Value)
}

type (
	nameTarget struct{ name string }
	attrTarget struct {
		line       int
		name, attr string
	}
	tupleTarget struct {
		line    int
		targets []target
	}
)

func (t *nameTarget) assign(in *interp, sc *scope, v Value) {
	in.items(1)
	sc.set(t.name, v)
}

func (t *attrTarget) assign(in *interp, sc *scope, v Value) {
	ns, ok := in.eval(&name{t.line, t.name}, sc).(*namespace)
	if !ok {
		in.fail(kindRuntime, "cannot assign attribute on non-namespace object")
	}
	in.items(1)
	ns.attrs.Set(Literal(t.attr), v)
}

func (t *tupleTarget) assign(in *interp, sc *scope, v Value) {
	in.line = t.line
	next, ok := in.tryIterate(v)
	if !ok {
		in.fail(kindType, "cannot unpack non-iterable %s object", typeName(v))
	}
	var items []Value
	for item, ok := next(); ok; item, ok = next() {
		if items = append(items, item); len(items) > len(t.targets) {
			in.fail(kindValue, "too many values to unpack (expected %d)", len(t.targets))
		}
	}
	if len(items) < len(t.targets) {
		in.fail(kindValue, "not enough values to unpack (expected %d, got %d)", len(t.targets), len(items))
	}
	for i, one := range t.targets {
		one.assign(in, sc, items[i])
	}
}
