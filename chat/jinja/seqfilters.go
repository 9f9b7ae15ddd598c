package jinja

import (
	"slices"
	"strconv"
	"strings"
)

// The filters on sequences. Those that Jinja2 writes as generators are lazy
// here too, and give their items once.

func lengthFilter(c *call, v Value) Value {
	c.args("")
	n, ok := c.in.length(v)
	if !ok {
		c.in.fail(kindType, "object of type '%s' has no len()", typeName(v))
	}
	return n
}

// getter is jinja2's make_attrgetter: a path of attributes "a.b.0", or an
// index. otherwise, if it is not nil, stands for what is missing.
func (c *call) getter(path Value, otherwise Value) func(Value) Value {
	var parts []Value
	switch p := path.(type) {
	case nil:
	case Str:
		for part := range strings.SplitSeq(p.String(), ".") {
			if i, err := strconv.Atoi(part); err == nil && part[0] != '-' && part[0] != '+' {
				parts = append(parts, i)
			} else {
				parts = append(parts, Literal(part))
			}
		}
	default:
		parts = []Value{path}
	}
	return func(v Value) Value {
		for _, part := range parts {
			c.in.step(1)
			v = c.in.getItem(v, part)
			if _, ok := v.(*undefined); ok && otherwise != nil {
				v = otherwise
			}
		}
		return v
	}
}

// keyed is a getter whose strings are in small letters unless case matters.
func (c *call) keyed(path Value, caseMatters bool) func(Value) Value {
	if path == absent {
		path = nil
	}
	get := c.getter(path, nil)
	return func(v Value) Value {
		v = get(v)
		if s, ok := v.(Str); ok && !caseMatters {
			return c.in.lower(s)
		}
		return v
	}
}

// lazily makes a generator of a function that is called once, when the first
// item is wanted.
func lazily(begin func() func() (Value, bool)) *generator {
	var next func() (Value, bool)
	return &generator{func() (Value, bool) {
		if next == nil {
			next = begin()
		}
		return next()
	}}
}

func nothing() (Value, bool) { return nil, false }

func mapFilter(c *call, v Value) Value {
	return lazily(func() func() (Value, bool) {
		if !c.in.truth(v) {
			return nothing
		}
		var f func(Value) Value
		if path, ok := c.take("attribute"); ok && len(c.pos) == 0 {
			otherwise, _ := c.take("default")
			if len(c.names) > 0 {
				c.in.fail(kindArgument, "Unexpected keyword argument %s", reprText(c.names[0]))
			}
			f = c.getter(path, otherwise)
		} else {
			if len(c.pos) == 0 {
				c.in.fail(kindArgument, "map requires a filter argument")
			}
			name := c.text(c.pos[0]).String()
			f = func(v Value) Value {
				return c.in.filter(name, v, &call{in: c.in, pos: c.pos[1:], names: c.names, named: c.named})
			}
		}
		next := c.in.iterate(v)
		return func() (Value, bool) {
			item, ok := next()
			if ok {
				item = f(item)
			}
			return item, ok
		}
	})
}

// selector makes select, reject, selectattr and rejectattr.
func selector(attribute, keep bool) filter {
	return func(c *call, v Value) Value {
		return lazily(func() func() (Value, bool) {
			if !c.in.truth(v) {
				return nothing
			}
			get, pos := func(v Value) Value { return v }, c.pos
			if attribute {
				if len(pos) == 0 {
					c.in.fail(kindArgument, "Missing parameter for attribute name")
				}
				get, pos = c.getter(pos[0], nil), pos[1:]
			}
			holds := c.in.truth
			if len(pos) > 0 {
				name := c.text(pos[0]).String()
				holds = func(v Value) bool {
					return c.in.test(name, v, &call{in: c.in, pos: pos[1:], names: c.names, named: c.named})
				}
			}
			next := c.in.iterate(v)
			return func() (Value, bool) {
				for item, ok := next(); ok; item, ok = next() {
					if holds(get(item)) == keep {
						return item, true
					}
				}
				return nil, false
			}
		})
	}
}

func itemsFilter(c *call, v Value) Value {
	c.args("")
	return lazily(func() func() (Value, bool) {
		switch v := v.(type) {
		case *undefined:
			return nothing
		case *Dict:
			return indexed(len(v.keys), v.item)
		}
		c.in.fail(kindType, "Can only get item pairs from a mapping.")
		return nil
	})
}

func lastFilter(c *call, v Value) Value {
	c.args("")
	switch v.(type) {
	case *generator, *loop, nil:
		c.in.fail(kindType, "'%s' object is not reversible", typeName(v))
	}
	if n, ok := c.in.length(v); ok && n > 0 {
		if d, ok := v.(*Dict); ok {
			return d.keys[n-1]
		}
		if w, ok := v.(view); ok {
			return w.at(n - 1)
		}
		item, _ := c.in.itemOf(v, n-1)
		return item
	} else if !ok {
		c.in.fail(kindType, "'%s' object is not reversible", typeName(v))
	}
	return &undefined{kindUndefined, "No last item, sequence was empty."}
}

func reverseFilter(c *call, v Value) Value {
	c.args("")
	if s, ok := v.(Str); ok {
		c.in.alloc(len(s.c))
		return Str{c: backwards(s.c), markup: s.markup}
	}
	if _, ok := c.in.tryIterate(v); !ok {
		c.in.fail(kindArgument, "argument must be iterable")
	}
	items := reversed(c.in.list(v))
	if _, ok := v.(*generator); ok {
		return &List{items}
	}
	return &generator{indexed(len(items), func(i int) Value { return items[i] })}
}

func batchFilter(c *call, v Value) Value {
	a := c.args("linecount", "fill_with=")
	return lazily(func() func() (Value, bool) {
		next, n := c.in.iterate(v), c.integer(a[0], 0)
		var held []Value
		return func() (Value, bool) {
			batch := held
			held = nil
			for item, ok := next(); ok; item, ok = next() {
				c.in.items(1)
				if len(batch) == n {
					held = []Value{item}
					return &List{batch}, true
				}
				batch = append(batch, item)
			}
			if len(batch) == 0 {
				return nil, false
			}
			if missing := n - len(batch); given(a[1]) && missing > 0 {
				c.in.items(missing)
				for range missing {
					batch = append(batch, a[1])
				}
			}
			return &List{batch}, true
		}
	})
}

func sliceFilter(c *call, v Value) Value {
	a := c.args("slices", "fill_with=")
	return lazily(func() func() (Value, bool) {
		items, n := c.in.list(v), c.integer(a[0], 0)
		if n == 0 {
			c.in.fail(kindZero, "integer division or modulo by zero")
		}
		each, extra := len(items)/n, len(items)%n
		at := 0
		return indexed(max(n, 0), func(i int) Value {
			size := each
			if i < extra {
				size++
			}
			c.in.items(size + 1)
			part := slices.Clone(items[at : at+size])
			if at += size; given(a[1]) && i >= extra {
				part = append(part, a[1])
			}
			return &List{part}
		})
	})
}

// sorted sorts items by a key, as Python's sorted does.
func (in *interp) sorted(items []Value, key func(Value) Value, reverse bool) []Value {
	type pair struct{ key, v Value }
	pairs := make([]pair, len(items))
	for i, v := range items {
		pairs[i] = pair{key(v), v}
	}
	in.items(2 * len(items))
	slices.SortStableFunc(pairs, func(a, b pair) int {
		in.step(1)
		switch {
		case in.less(a.key, b.key):
			return map[bool]int{false: -1, true: 1}[reverse]
		case in.less(b.key, a.key):
			return map[bool]int{false: 1, true: -1}[reverse]
		}
		return 0
	})
	out := make([]Value, len(items))
	for i, p := range pairs {
		out[i] = p.v
	}
	return out
}

func sortFilter(c *call, v Value) Value {
	a := c.args("reverse=", "case_sensitive=", "attribute=")
	paths := []Value{a[2]}
	if s, ok := a[2].(Str); ok {
		paths = nil
		for part := range strings.SplitSeq(s.String(), ",") {
			paths = append(paths, Literal(part))
		}
	}
	var gets []func(Value) Value
	for _, p := range paths {
		gets = append(gets, c.keyed(p, c.flag(a[1], false)))
	}
	key := func(v Value) Value {
		l := &List{items: make([]Value, len(gets))}
		for i, get := range gets {
			l.items[i] = get(v)
		}
		return l
	}
	return &List{c.in.sorted(c.in.list(v), key, c.flag(a[0], false))}
}

func dictsortFilter(c *call, v Value) Value {
	a := c.args("case_sensitive=", "by=", "reverse=")
	pos := 0
	if a[1] != absent {
		switch c.in.str(a[1]).String() {
		case "key":
		case "value":
			pos = 1
		default:
			c.in.fail(kindArgument, `You can only sort by either "key" or "value"`)
		}
	}
	d, ok := v.(*Dict)
	if !ok {
		if u, ok := v.(*undefined); ok {
			c.in.failUndefined(u)
		}
		c.in.fail("AttributeError", "'%s' object has no attribute 'items'", typeName(v))
	}
	return &List{c.in.sorted(c.in.list(view{d, "items"}), c.keyed(pos, c.flag(a[0], false)), c.flag(a[2], false))}
}

func uniqueFilter(c *call, v Value) Value {
	a := c.args("case_sensitive=", "attribute=")
	return lazily(func() func() (Value, bool) {
		key, next, seen := c.keyed(a[1], c.flag(a[0], false)), c.in.iterate(v), NewDict()
		return func() (Value, bool) {
			for item, ok := next(); ok; item, ok = next() {
				if k := key(item); !c.in.has(seen, k) {
					c.in.set(seen, k, nil)
					return item, true
				}
			}
			return nil, false
		}
	})
}

func groupbyFilter(c *call, v Value) Value {
	a := c.args("attribute", "default=", "case_sensitive=")
	otherwise := a[1]
	if otherwise == absent {
		otherwise = nil
	}
	get, exact := c.getter(a[0], otherwise), c.flag(a[2], false)
	key := func(v Value) Value {
		v = get(v)
		if s, ok := v.(Str); ok && !exact {
			return c.in.lower(s)
		}
		return v
	}
	out, last := &List{}, Value(nil)
	for _, item := range c.in.sorted(c.in.list(v), key, false) {
		k := key(item)
		if n := len(out.items); n > 0 && c.in.equal(k, last) {
			group := out.items[n-1].(*Tuple).items[1].(*List)
			group.items = append(group.items, item)
			continue
		}
		last = k
		out.items = append(out.items, &Tuple{[]Value{get(item), &List{[]Value{item}}}, true})
	}
	return out
}

func extreme(better func(in *interp, a, b Value) bool) filter {
	return func(c *call, v Value) Value {
		a := c.args("case_sensitive=", "attribute=")
		key, next := c.keyed(a[1], c.flag(a[0], false)), c.in.iterate(v)
		best, ok := next()
		if !ok {
			return &undefined{kindUndefined, "No aggregated item, sequence was empty."}
		}
		bestKey := key(best)
		for item, ok := next(); ok; item, ok = next() {
			if k := key(item); better(c.in, k, bestKey) {
				best, bestKey = item, k
			}
		}
		return best
	}
}
