package jinja

import "slices"

// A macroNode is a macro of the syntax tree, or the body of a call block.
type macroNode struct {
	line     int
	name     string
	params   []string
	defaults []expr // of the last parameters
	reads    specials
	body     []stmt
}

// A macro is a macroNode with the scope that it was defined in.
type macro struct {
	node  *macroNode
	scope *scope
}

// call runs the macro and returns its text.
func (m *macro) call(c *call) Value {
	in, n := c.in, m.node
	sc := &scope{parent: m.scope}
	explicit := slices.Contains(n.params, "caller")
	given := min(len(c.pos), len(n.params))
	for i, p := range n.params {
		if i < given {
			sc.set(p, c.pos[i])
			continue
		}
		if v, ok := c.take(p); ok {
			sc.set(p, v)
		} else if d := i - len(n.params) + len(n.defaults); d >= 0 {
			sc.set(p, in.eval(n.defaults[d], sc))
		} else {
			sc.set(p, &undefined{kindUndefined, "parameter " + reprText(p) + " was not provided"})
		}
	}
	if n.reads.caller && !explicit {
		v, _ := c.take("caller")
		if v == nil {
			v = &undefined{kindUndefined, "No caller defined"}
		}
		sc.set("caller", v)
	}
	switch {
	case n.reads.kwargs && !slices.Contains(n.params, "kwargs"):
		d := NewDict()
		for i, key := range c.names {
			in.set(d, Literal(key), c.named[i])
		}
		sc.set("kwargs", d)
	case slices.Contains(c.names, "caller"):
		in.fail(kindType, "macro %s was invoked with two values for the special caller argument. This is most likely a bug.", reprText(n.name))
	case len(c.names) > 0:
		in.fail(kindType, "macro %s takes no keyword argument %s", reprText(n.name), reprText(c.names[0]))
	}
	if n.reads.varargs && !slices.Contains(n.params, "varargs") {
		sc.set("varargs", &Tuple{items: c.pos[given:]})
	} else if len(c.pos) > len(n.params) {
		in.fail(kindType, "macro %s takes not more than %d argument(s)", reprText(n.name), len(n.params))
	}
	in.items(len(sc.vars))
	return in.capture(func() { in.execAll(n.body, sc) })
}

// A call is the arguments of a function, a method, a filter or a macro.
type call struct {
	in    *interp
	name  string
	pos   []Value
	names []string // of the keyword arguments
	named []Value
}

// take removes a keyword argument and returns it.
func (c *call) take(name string) (Value, bool) {
	i := slices.Index(c.names, name)
	if c.in.work(len(c.names)); i < 0 {
		return nil, false
	}
	v := c.named[i]
	c.names = slices.Delete(slices.Clone(c.names), i, i+1)
	c.named = slices.Delete(slices.Clone(c.named), i, i+1)
	return v, true
}

// bind evaluates the arguments of a call.
func (in *interp) bind(a arguments, sc *scope) *call {
	c := &call{in: in, pos: in.evalAll(a.pos, sc), named: in.evalAll(a.named, sc), names: slices.Clone(a.names)}
	if a.rest != nil {
		c.pos = append(c.pos, in.list(in.eval(a.rest, sc))...)
	}
	if a.rest2 != nil {
		d, ok := in.eval(a.rest2, sc).(*Dict)
		if !ok {
			in.fail(kindType, "argument after ** must be a mapping")
		}
		in.items(len(d.keys))
		for i, key := range d.keys {
			s, ok := key.(Str)
			if !ok {
				in.fail(kindType, "keywords must be strings")
			}
			c.names, c.named = append(c.names, s.String()), append(c.named, d.vals[i])
		}
	}
	for i, n := range c.names {
		if in.work(i); i > 0 && slices.Contains(c.names[:i], n) {
			in.fail(kindType, "got multiple values for keyword argument %s", reprText(n))
		}
	}
	return c
}

func (e *callExpr) eval(in *interp, sc *scope) Value {
	f := in.eval(e.of, sc)
	c := in.bind(e.args, sc)
	in.line = e.line
	return in.call(f, c)
}

// call calls what a program can call.
func (in *interp) call(f Value, c *call) Value {
	switch f := f.(type) {
	case *function:
		c.name = f.name
		return f.call(c)
	case *macro:
		return f.call(c)
	case *undefined:
		in.failUndefined(f)
	case *joiner:
		c.args("")
		return f.next()
	case *loop:
		over := c.args("iterable")[0]
		if f.recurse == nil {
			in.fail(kindType, "The loop must have the 'recursive' marker to be called recursively.")
		}
		return f.recurse(over, f.depth+1)
	}
	in.fail(kindType, "'%s' object is not callable", typeName(f))
	return nil
}
