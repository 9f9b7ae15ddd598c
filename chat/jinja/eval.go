package jinja

// An expr is a node of the syntax tree that has a value.
type expr interface {
	eval(in *interp, sc *scope) Value
}

type (
	constant struct{ v Value }
	name     struct {
		line int
		name string
	}
	listExpr  struct{ items []expr }
	tupleExpr struct{ items []expr }
	dictExpr  struct {
		line int
		keys []expr
		vals []expr
	}
	attribute struct {
		line int
		of   expr
		name string
		key  Str
	}
	item struct {
		line int
		of   expr
		key  expr
	}
	sliceExpr struct{ from, to, step expr } // a nil one is absent
	condExpr  struct {
		line              int
		test, then, other expr
	}
	logic struct {
		or          bool
		left, right expr
	}
	notExpr struct{ of expr }
	compare struct {
		left  expr
		ops   []string
		right []expr
	}
	concat     struct{ parts []expr }
	arithmetic struct {
		line        int
		op          string
		left, right expr
	}
	sign struct {
		line int
		op   string
		of   expr
	}
	arguments struct {
		pos   []expr
		names []string
		named []expr
		rest  expr // *args
		rest2 expr // **kwargs
	}
	callExpr struct {
		line int
		of   expr
		args arguments
	}
	filterExpr struct {
		line int
		of   expr // nil: the body of a block
		name string
		args arguments
	}
	testExpr struct {
		line int
		of   expr
		name string
		args arguments
	}
)

// eval evaluates a node within the bounds.
func (in *interp) eval(e expr, sc *scope) Value {
	in.step(1)
	in.enter()
	v := e.eval(in, sc)
	in.leave()
	return v
}

func (e *constant) eval(*interp, *scope) Value { return e.v }

func (e *name) eval(in *interp, sc *scope) Value {
	for s := sc; s != nil; s = s.parent {
		if i := s.find(e.name); i >= 0 {
			return s.vars[i].v
		}
	}
	if f, ok := globals[e.name]; ok {
		return f
	}
	in.line = e.line
	if e.name == "self" {
		in.fail(kindMissing, "the variable self is not implemented")
	}
	return undefinedName(e.name)
}

func (in *interp) evalAll(list []expr, sc *scope) []Value {
	in.items(len(list))
	items := make([]Value, len(list))
	for i, e := range list {
		items[i] = in.eval(e, sc)
	}
	return items
}

func (e *listExpr) eval(in *interp, sc *scope) Value { return &List{in.evalAll(e.items, sc)} }

func (e *tupleExpr) eval(in *interp, sc *scope) Value {
	return &Tuple{items: in.evalAll(e.items, sc)}
}

func (e *dictExpr) eval(in *interp, sc *scope) Value {
	d := NewDict()
	for i, key := range e.keys {
		in.set(d, in.eval(key, sc), in.eval(e.vals[i], sc))
	}
	return d
}

// set puts a value into a dictionary that is being made.
func (in *interp) set(d *Dict, key, v Value) {
	h, ok := hashable(key)
	if !ok {
		in.fail(kindType, "unhashable type: '%s'", typeName(key))
	}
	in.items(2)
	d.set(h, key, v)
}

func (e *attribute) eval(in *interp, sc *scope) Value {
	of := in.eval(e.of, sc)
	in.line = e.line
	return in.getAttr(of, e.name, e.key)
}

func (e *item) eval(in *interp, sc *scope) Value {
	of := in.eval(e.of, sc)
	if s, ok := e.key.(*sliceExpr); ok {
		bounds := [3]Value{}
		for i, b := range []expr{s.from, s.to, s.step} {
			if b != nil {
				bounds[i] = in.eval(b, sc)
			}
		}
		in.line = e.line
		return in.slice(of, bounds)
	}
	key := in.eval(e.key, sc)
	in.line = e.line
	return in.getItem(of, key)
}

func (e *sliceExpr) eval(in *interp, _ *scope) Value {
	in.fail(kindType, "a slice in a tuple of subscripts")
	return nil
}

func (e *condExpr) eval(in *interp, sc *scope) Value {
	switch {
	case in.truth(in.eval(e.test, sc)):
		return in.eval(e.then, sc)
	case e.other != nil:
		return in.eval(e.other, sc)
	}
	return &undefined{kindUndefined, "the inline if-expression evaluated to false and no else section was defined."}
}

func (e *logic) eval(in *interp, sc *scope) Value {
	if left := in.eval(e.left, sc); in.truth(left) == e.or {
		return left
	}
	return in.eval(e.right, sc)
}

func (e *notExpr) eval(in *interp, sc *scope) Value { return !in.truth(in.eval(e.of, sc)) }

func (e *compare) eval(in *interp, sc *scope) Value {
	left := in.eval(e.left, sc)
	for i, op := range e.ops {
		right := in.eval(e.right[i], sc)
		if !in.compare(op, left, right) {
			return false
		}
		left = right
	}
	return true
}

func (in *interp) compare(op string, a, b Value) bool {
	switch op {
	case "==":
		return in.equal(a, b)
	case "!=":
		return !in.equal(a, b)
	case "in":
		return in.contains(b, a)
	case "not in":
		return !in.contains(b, a)
	}
	d, ordered := in.order(op, a, b)
	switch op {
	case "<":
		return ordered && d < 0
	case "<=":
		return ordered && d <= 0
	case ">":
		return ordered && d > 0
	}
	return ordered && d >= 0
}

func (e *concat) eval(in *interp, sc *scope) Value {
	out := in.str(in.eval(e.parts[0], sc))
	for _, part := range e.parts[1:] {
		out = in.extend(out, in.str(in.eval(part, sc)).c)
	}
	return out
}

func (e *sign) eval(in *interp, sc *scope) Value {
	v := in.eval(e.of, sc)
	in.line = e.line
	switch x := v.(type) {
	case *undefined:
		in.failUndefined(x)
	case float64:
		if e.op == "-" {
			return -x
		}
		return x
	}
	i, ok := asInt(v)
	if !ok {
		in.fail(kindType, "bad operand type for unary %s: '%s'", e.op, typeName(v))
	}
	if e.op == "-" {
		return in.subtract(0, i)
	}
	return i
}

func (e *arithmetic) eval(in *interp, sc *scope) Value {
	a, b := in.eval(e.left, sc), in.eval(e.right, sc)
	in.line = e.line
	return in.arithmetic(e.op, a, b)
}
