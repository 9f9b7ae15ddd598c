package jinja

import (
	"math"
	"strings"
	"unicode"
)

// A filter makes a value of a value; c holds its further arguments.
type filter func(c *call, v Value) Value

// findFilter returns the filter of a name, or nil.
func findFilter(name string) filter {
	switch name {
	case "map":
		return mapFilter
	case "select":
		return selector(false, true)
	case "reject":
		return selector(false, false)
	case "selectattr":
		return selector(true, true)
	case "rejectattr":
		return selector(true, false)
	}
	return filters[name]
}

// failFilter fails for a filter that findFilter does not know.
func failFilter(line int, kind, name string) {
	switch name {
	case "filesizeformat", "pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr":
		failAt(line, kindMissing, "the filter %s is not implemented", name)
	}
	failAt(line, kind, "No filter named %s.", reprText(name))
}

func (e *filterExpr) eval(in *interp, sc *scope) Value {
	var v Value
	if e.of != nil {
		v = in.eval(e.of, sc)
	} else {
		v = in.eval(&name{e.line, bodyName}, sc)
	}
	c := in.bind(e.args, sc)
	in.line = e.line
	return in.filter(e.name, v, c)
}

func (in *interp) filter(name string, v Value, c *call) Value {
	f := findFilter(name)
	if f == nil {
		failFilter(in.line, kindRuntime, name)
	}
	c.name = name
	return f(c, v)
}

var filters = map[string]filter{
	"abs": func(c *call, v Value) Value {
		c.args("")
		switch x := v.(type) {
		case float64:
			return math.Abs(x)
		case *undefined:
			c.in.failUndefined(x)
		}
		i, ok := asInt(v)
		if !ok {
			c.in.fail(kindType, "bad operand type for abs(): '%s'", typeName(v))
		}
		if i < 0 {
			return c.in.subtract(0, i)
		}
		return i
	},
	"attr": func(c *call, v Value) Value {
		key := c.text(c.args("name")[0])
		if a, ok := c.in.attr(v, key.String()); ok {
			return a
		}
		return missingAttr(v, key)
	},
	"capitalize": onText((*interp).capitalize),
	"upper":      onText((*interp).upper),
	"lower":      onText((*interp).lower),
	"title":      onText((*interp).titleFilter),
	"string":     func(c *call, v Value) Value { c.args(""); return c.in.soft(v) },
	"trim": func(c *call, v Value) Value {
		return strMethods["strip"](&call{in: c.in, name: "trim", pos: c.args("chars=")}, c.in.soft(v))
	},
	"center": func(c *call, v Value) Value {
		width := c.integer(c.args("width=")[0], 80)
		return strMethods["center"](&call{in: c.in, name: "center", pos: []Value{width}}, c.in.soft(v))
	},
	"replace": func(c *call, v Value) Value {
		a := c.args("old", "new", "count=")
		most := -1
		if given(a[2]) {
			most = c.integer(a[2], -1)
		}
		return c.in.replace(c.in.str(v), c.in.str(a[0]).c, c.in.str(a[1]).c, most)
	},
	"format": func(c *call, v Value) Value {
		s := c.in.soft(v)
		if len(c.named) == 0 {
			return c.in.percent(s, &Tuple{items: c.pos})
		}
		if len(c.pos) > 0 {
			c.in.fail(kindArgument, "can't handle positional and keyword arguments at the same time")
		}
		d := NewDict()
		for i, key := range c.names {
			c.in.set(d, Literal(key), c.named[i])
		}
		return c.in.percent(s, d)
	},
	"default":     defaultFilter,
	"d":           defaultFilter,
	"escape":      escapeFilter,
	"e":           escapeFilter,
	"forceescape": func(c *call, v Value) Value { c.args(""); return c.in.escape(c.in.str(v)) },
	"safe": func(c *call, v Value) Value {
		c.args("")
		return Str{c: c.in.soft(v).c, markup: true}
	},
	"indent":    indentFilter,
	"truncate":  truncateFilter,
	"wordcount": func(c *call, v Value) Value { c.args(""); return words(c.in.soft(v)) },
	"urlencode": urlencodeFilter,
	"int":       intFilter,
	"float": func(c *call, v Value) Value {
		a := c.args("default=")
		if f, ok := c.in.float(v); ok {
			return f
		}
		if a[0] == absent {
			return 0.0
		}
		return a[0]
	},
	"round":  roundFilter,
	"tojson": tojsonFilter,
	"count":  lengthFilter,
	"length": lengthFilter,

	"batch":    batchFilter,
	"dictsort": dictsortFilter,
	"first": func(c *call, v Value) Value {
		c.args("")
		if item, ok := c.in.iterate(v)(); ok {
			return item
		}
		return &undefined{kindUndefined, "No first item, sequence was empty."}
	},
	"last":    lastFilter,
	"groupby": groupbyFilter,
	"items":   itemsFilter,
	"join": func(c *call, v Value) Value {
		a := c.args("d=", "attribute=")
		sep := Str{}
		if a[0] != absent {
			sep = c.in.str(a[0])
		}
		if given(a[1]) {
			get, items := c.getter(a[1], nil), c.in.iterate(v)
			v = &generator{func() (Value, bool) {
				item, ok := items()
				if ok {
					item = get(item)
				}
				return item, ok
			}}
		}
		return c.in.joinAll(sep, v, c.in.str)
	},
	"list":    func(c *call, v Value) Value { c.args(""); return &List{c.in.list(v)} },
	"max":     extreme(func(in *interp, a, b Value) bool { return in.less(b, a) }),
	"min":     extreme(func(in *interp, a, b Value) bool { return in.less(a, b) }),
	"reverse": reverseFilter,
	"slice":   sliceFilter,
	"sort":    sortFilter,
	"sum": func(c *call, v Value) Value {
		a := c.args("attribute=", "start=")
		total := Value(0)
		if a[1] != absent {
			total = a[1]
		}
		if _, ok := total.(Str); ok {
			c.in.fail(kindType, "sum() can't sum strings [use ''.join(seq) instead]")
		}
		get := func(v Value) Value { return v }
		if given(a[0]) {
			get = c.getter(a[0], nil)
		}
		next := c.in.iterate(v)
		for item, ok := next(); ok; item, ok = next() {
			total = c.in.arithmetic("+", total, get(item))
		}
		return total
	},
	"unique": uniqueFilter,
}

func onText(f func(*interp, Str) Str) filter {
	return func(c *call, v Value) Value {
		c.args("")
		return f(c.in, c.in.soft(v))
	}
}

// titleFilter is the filter title, which differs from the method.
func (in *interp) titleFilter(s Str) Str {
	first := true
	return in.mapCase(s, func(i int) string {
		r := plain(s.c[i])
		if isSpace(r) || strings.ContainsRune("-({[<", r) {
			first = true
			return string(r)
		}
		if first {
			first = false
			return upperOf(r)
		}
		return lowerAt(s.c, i)
	})
}

func defaultFilter(c *call, v Value) Value {
	a := c.args("default_value=", "boolean=")
	if _, ok := v.(*undefined); ok || c.flag(a[1], false) && !c.in.truth(v) {
		if a[0] == absent {
			return Str{}
		}
		return a[0]
	}
	return v
}

func escapeFilter(c *call, v Value) Value {
	c.args("")
	if s, ok := v.(Str); ok && s.markup {
		return s
	}
	return c.in.escape(c.in.str(v))
}

func indentFilter(c *call, v Value) Value {
	a := c.args("width=", "first=", "blank=")
	s, ok := v.(Str)
	if !ok {
		if u, ok := v.(*undefined); ok {
			c.in.failUndefined(u)
		}
		c.in.unsupported("+=", v, Str{})
	}
	indent, ok := a[0].(Str)
	if !ok {
		n := c.integer(a[0], 4)
		indent = c.in.repeat(Literal(" "), n, n).(Str)
	}
	if s.markup {
		indent.markup = true
	}
	newline := Str{c: Literal("\n").c, markup: s.markup}
	lines := c.in.splitLines(c.in.join(s, newline), false)
	out := &buffer{in: c.in}
	blank := c.flag(a[2], false)
	for i, line := range lines {
		if i > 0 {
			out.add(newline)
			if blank || len(line.c) > 0 {
				out.add(indent)
			}
		} else if c.flag(a[1], false) {
			out.add(indent)
		}
		out.add(line)
	}
	return Str{c: out.c, markup: s.markup}
}

func truncateFilter(c *call, v Value) Value {
	a := c.args("length=", "killwords=", "end=", "leeway=")
	s := c.text(v)
	end := Literal("...")
	if a[2] != absent {
		end = c.text(a[2])
	}
	length, leeway := c.integer(a[0], 255), 5
	if given(a[3]) {
		leeway = c.integer(a[3], 5)
	}
	switch {
	case length < len(end.c):
		c.in.fail("AssertionError", "expected length >= %d, got %d", len(end.c), length)
	case leeway < 0:
		c.in.fail("AssertionError", "expected leeway >= 0, got %d", leeway)
	case len(s.c) <= length+leeway:
		return s
	}
	head := s.slice(0, length-len(end.c))
	if !c.flag(a[1], false) {
		head = c.in.rsplit(head, Literal(" ").c, 1)[0]
	}
	return c.in.join(head, end)
}

// words counts what \w+ matches.
func words(s Str) (n int) {
	inside := false
	for _, r := range s.c {
		r = plain(r)
		is := r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
		if is && !inside {
			n++
		}
		inside = is
	}
	return n
}

func urlencodeFilter(c *call, v Value) Value {
	c.args("")
	quote := func(v Value, safe string) Str {
		out := &buffer{in: c.in}
		s := c.in.str(v)
		for i, r := range s.c {
			text := s.slice(i, i+1).String()
			if p := plain(r); p < 0x80 && (unicode.IsLetter(p) || unicode.IsDigit(p) || strings.ContainsRune("_.-~"+safe, p)) {
				out.add(s.slice(i, i+1))
				continue
			}
			if safe == "" && text == " " {
				out.c = append(out.c, '+'|r&fromContent)
				continue
			}
			for _, b := range []byte(text) {
				for _, h := range "%" + string("0123456789ABCDEF"[b>>4]) + string("0123456789ABCDEF"[b&15]) {
					out.add(Str{c: []rune{h | r&fromContent}})
				}
			}
		}
		return out.str()
	}
	if d, ok := v.(*Dict); ok {
		v = view{d, "items"}
	} else if _, isStr := v.(Str); isStr {
		return quote(v, "/")
	}
	next, ok := c.in.tryIterate(v)
	if !ok {
		return quote(v, "/")
	}
	out := &buffer{in: c.in}
	for pair, ok := next(); ok; pair, ok = next() {
		if len(out.c) > 0 {
			out.text("&")
		}
		sc := &scope{}
		(&tupleTarget{c.in.line, []target{&nameTarget{"k"}, &nameTarget{"v"}}}).assign(c.in, sc, pair)
		out.add(quote(sc.vars[0].v, ""))
		out.text("=")
		out.add(quote(sc.vars[1].v, ""))
	}
	return out.str()
}
