package jinja

import (
	"unicode"
)

// tests are the tests behind "is". The values of tests with arguments check
// them; the others take none.
var tests map[string]func(c *call, v Value) bool

func init() { // the tests "filter" and "test" look into tables
	tests = map[string]func(c *call, v Value) bool{
		"filter": func(c *call, v Value) bool { c.args(""); return findFilter(c.text(v).String()) != nil },
		"test":   func(c *call, v Value) bool { c.args(""); return tests[c.text(v).String()] != nil },
		"divisibleby": func(c *call, v Value) bool {
			return c.in.equal(c.in.arithmetic("%", v, c.args("num")[0]), 0)
		},
		"in":     func(c *call, v Value) bool { return c.in.contains(c.args("seq")[0], v) },
		"sameas": func(c *call, v Value) bool { return same(v, c.args("other")[0]) },
		"odd":    parity(1),
		"even":   parity(0),
	}
	for op, names := range map[string][]string{"==": {"eq", "equalto", "=="}, "!=": {"ne", "!="}, "<": {"lt", "lessthan", "<"},
		"<=": {"le", "<="}, ">": {"gt", "greaterthan", ">"}, ">=": {"ge", ">="}} {
		for _, name := range names {
			tests[name] = func(c *call, v Value) bool { return c.in.compare(op, v, c.args("other")[0]) }
		}
	}
	for name, is := range map[string]func(in *interp, v Value) bool{
		"defined":   func(_ *interp, v Value) bool { _, un := v.(*undefined); return !un },
		"undefined": func(_ *interp, v Value) bool { _, un := v.(*undefined); return un },
		"none":      func(_ *interp, v Value) bool { return v == nil },
		"boolean":   func(_ *interp, v Value) bool { _, ok := v.(bool); return ok },
		"true":      func(_ *interp, v Value) bool { return v == true },
		"false":     func(_ *interp, v Value) bool { return v == false },
		"integer":   func(_ *interp, v Value) bool { _, ok := v.(int); return ok },
		"float":     func(_ *interp, v Value) bool { _, ok := v.(float64); return ok },
		"number":    func(_ *interp, v Value) bool { _, ok := number(v); return ok },
		"string":    func(_ *interp, v Value) bool { _, ok := v.(Str); return ok },
		"mapping":   func(_ *interp, v Value) bool { _, ok := v.(*Dict); return ok },
		"iterable":  func(in *interp, v Value) bool { _, ok := in.tryIterate(v); return ok },
		"sequence":  isSequence,
		"callable":  isCallable,
		"escaped":   func(_ *interp, v Value) bool { s, ok := v.(Str); return ok && s.markup },
		"lower":     func(in *interp, v Value) bool { return hasCase(in.str(v), unicode.IsLower) },
		"upper":     func(in *interp, v Value) bool { return hasCase(in.str(v), unicode.IsUpper) },
	} {
		tests[name] = func(c *call, v Value) bool { c.args(""); return is(c.in, v) }
	}
}

func isSequence(_ *interp, v Value) bool {
	switch v.(type) {
	case Str, *List, *Tuple, *Dict, pyRange, *undefined:
		return true
	}
	return false
}

func isCallable(_ *interp, v Value) bool {
	switch v.(type) {
	case *function, *macro, *joiner, *loop, *undefined:
		return true
	}
	return false
}

// same is Python's "is", as far as it can be relied on.
func same(a, b Value) bool {
	switch a := a.(type) {
	case nil, bool, int, *undefined:
		return a == b
	case Str:
		b, ok := b.(Str)
		return ok && len(a.c) == len(b.c) && (len(a.c) == 0 || &a.c[0] == &b.c[0])
	case float64, view, pyRange:
		return false
	}
	return a == b
}

func parity(want int) func(*call, Value) bool {
	return func(c *call, v Value) bool {
		c.args("")
		return c.in.equal(c.in.arithmetic("%", v, 2), want)
	}
}

func (e *testExpr) eval(in *interp, sc *scope) Value {
	v := in.eval(e.of, sc)
	c := in.bind(e.args, sc)
	in.line = e.line
	return in.test(e.name, v, c)
}

func (in *interp) test(name string, v Value, c *call) bool {
	t := tests[name]
	if t == nil {
		in.fail(kindRuntime, "No test named %s.", reprText(name))
	}
	c.name = name
	return t(c, v)
}
