package jinja

type forStmt struct {
	line            int
	target          target
	over            expr
	test            expr // may be nil
	recursive       bool
	body, otherwise []stmt
}

// loop is the variable of that name in a for loop.
type loop struct {
	in            *interp
	next          func() (Value, bool)
	over          Value // has a length, or is a generator
	n             int   // the length, once it is known
	counted       bool
	index0, depth int
	before, now   Value
	after         []Value // items that were looked at early
	changed       []Value // arguments of the last call of changed()
	asked         bool    // changed() was called
	recurse       func(over Value, depth int) Value
}

// advance takes the next item.
func (l *loop) advance() (Value, bool) {
	v, ok := Value(nil), true
	if len(l.after) > 0 {
		v, l.after = l.after[0], l.after[1:]
	} else if v, ok = l.next(); !ok {
		return nil, false
	}
	l.index0++
	l.before, l.now = l.now, v
	return v, true
}

// peek looks at the next item.
func (l *loop) peek() (Value, bool) {
	if len(l.after) == 0 {
		v, ok := l.next()
		if !ok {
			return nil, false
		}
		l.after = append(l.after, v)
	}
	return l.after[0], true
}

func (l *loop) length(in *interp) int {
	if !l.counted {
		n, ok := in.length(l.over)
		if !ok {
			for v, ok := l.next(); ok; v, ok = l.next() {
				in.items(1)
				l.after = append(l.after, v)
			}
			n = l.index0 + 1 + len(l.after)
		}
		l.n, l.counted = n, true
	}
	return l.n
}

// attr is an attribute of loop.
func (l *loop) attr(in *interp, name string) (Value, bool) {
	switch name {
	case "index0":
		return l.index0, true
	case "index":
		return l.index0 + 1, true
	case "revindex0":
		return l.length(in) - l.index0 - 1, true
	case "revindex":
		return l.length(in) - l.index0, true
	case "first":
		return l.index0 == 0, true
	case "last":
		_, more := l.peek()
		return !more, true
	case "length":
		return l.length(in), true
	case "depth":
		return l.depth + 1, true
	case "depth0":
		return l.depth, true
	case "previtem":
		if l.index0 == 0 {
			return &undefined{kindUndefined, "there is no previous item"}, true
		}
		return l.before, true
	case "nextitem":
		v, more := l.peek()
		if !more {
			return &undefined{kindUndefined, "there is no next item"}, true
		}
		return v, true
	case "cycle":
		return &function{"cycle", func(c *call) Value {
			if len(c.pos) == 0 {
				in.fail(kindType, "no items for cycling given")
			}
			return c.pos[l.index0%len(c.pos)]
		}}, true
	case "changed":
		return &function{"changed", func(c *call) Value {
			if l.asked && in.equalItems(l.changed, c.pos) {
				return false
			}
			l.asked, l.changed = true, c.pos
			return true
		}}, true
	}
	return nil, false
}

func (s *forStmt) exec(in *interp, sc *scope) jump {
	var run func(over Value, depth int)
	run = func(over Value, depth int) {
		in.line = s.line
		next := in.iterate(over)
		if s.test != nil {
			all := next
			next = func() (Value, bool) {
				for v, ok := all(); ok; v, ok = all() {
					inner := &scope{parent: sc}
					s.target.assign(in, inner, v)
					if in.truth(in.eval(s.test, inner)) {
						return v, true
					}
				}
				return nil, false
			}
			over = &generator{next}
		}
		l := &loop{in: in, next: next, over: over, index0: -1, depth: depth}
		if s.recursive {
			l.recurse = func(over Value, depth int) Value {
				return in.capture(func() { run(over, depth) })
			}
		}
		whole := false // some pass came to its end: otherwise Jinja2 runs the else
		for v, ok := l.advance(); ok; v, ok = l.advance() {
			inner := &scope{vars: []variable{{"loop", l}}, parent: sc}
			s.target.assign(in, inner, v)
			j := in.execAll(s.body, inner)
			if j == stop {
				break
			}
			whole = whole || j == goOn
		}
		if !whole {
			in.execAll(s.otherwise, &scope{parent: sc})
		}
	}
	run(in.eval(s.over, sc), 0)
	return goOn
}
