package jinja

import "unicode"

func bound(f func(c *call, s Str) Value) func(*call, Value) Value {
	return func(c *call, of Value) Value { return f(c, of.(Str)) }
}

// strMethods are the methods of str.
var strMethods = methodTable{
	"strip":      stripper(true, true),
	"lstrip":     stripper(true, false),
	"rstrip":     stripper(false, true),
	"split":      splitter(false),
	"rsplit":     splitter(true),
	"startswith": affix(func(c, part []rune) bool { return len(c) >= len(part) && sameChars(c[:len(part)], part) }),
	"endswith":   affix(func(c, part []rune) bool { return len(c) >= len(part) && sameChars(c[len(c)-len(part):], part) }),
	"replace": bound(func(c *call, s Str) Value {
		a := c.args("/old", "/new", "/count=")
		return c.in.replace(s, c.text(a[0]).c, c.text(a[1]).c, c.integer(a[2], -1))
	}),
	"upper":      caseOf((*interp).upper),
	"lower":      caseOf((*interp).lower),
	"casefold":   nil,
	"title":      caseOf((*interp).title),
	"capitalize": caseOf((*interp).capitalize),
	"swapcase":   caseOf((*interp).swapCase),
	"splitlines": bound(func(c *call, s Str) Value {
		return strList(c.in.splitLines(s, c.flag(c.args("keepends=")[0], false)))
	}),
	"join": bound(func(c *call, s Str) Value {
		return c.in.joinAll(s, c.args("/iterable")[0], func(v Value) Str {
			part, ok := v.(Str)
			if !ok {
				c.in.fail(kindType, "sequence item: expected str instance, %s found", typeName(v))
			}
			return part
		})
	}),
	"find":   finder((*interp).findFrom, false),
	"rfind":  finder((*interp).findLast, false),
	"index":  finder((*interp).findFrom, true),
	"rindex": finder((*interp).findLast, true),
	"count": bound(func(c *call, s Str) Value {
		a := c.args("/sub", "/start=", "/end=")
		part, from, _ := c.part(s, a[1], a[2])
		sub := c.text(a[0])
		if from > len(s.c) {
			return 0
		}
		if len(sub.c) == 0 {
			return len(part.c) + 1
		}
		return len(c.in.split(part, sub.c, -1)) - 1
	}),
	"partition":    partitioner(false),
	"rpartition":   partitioner(true),
	"removeprefix": bound(func(c *call, s Str) Value { return cutAffix(s, c.text(c.args("/prefix")[0]).c, true) }),
	"removesuffix": bound(func(c *call, s Str) Value { return cutAffix(s, c.text(c.args("/suffix")[0]).c, false) }),
	"center":       padder(func(left, n, width int) int { return left/2 + left&width&1 }),
	"ljust":        padder(func(left, _, _ int) int { return 0 }),
	"rjust":        padder(func(left, _, _ int) int { return left }),
	"zfill": bound(func(c *call, s Str) Value {
		n := max(0, c.integer(c.args("/width")[0], 0)-len(s.c))
		at := 0
		if len(s.c) > 0 && (plain(s.c[0]) == '+' || plain(s.c[0]) == '-') {
			at = 1
		}
		zeros := c.in.repeat(Literal("0"), n, n).(Str)
		return c.in.cat(s.slice(0, at), zeros, s.slice(at, len(s.c)))
	}),

	"isalpha":      every(unicode.IsLetter),
	"isalnum":      every(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
	"isdigit":      every(isDigit),
	"isdecimal":    every(unicode.IsDigit),
	"isnumeric":    every(unicode.IsNumber),
	"isspace":      every(isSpace),
	"isprintable":  bound(func(c *call, s Str) Value { c.args(""); return len(s.c) == 0 || all(s, isPrintable) }),
	"isascii":      bound(func(c *call, s Str) Value { c.args(""); return all(s, func(r rune) bool { return r < 0x80 }) }),
	"islower":      bound(func(c *call, s Str) Value { c.args(""); return hasCase(s, unicode.IsLower) }),
	"isupper":      bound(func(c *call, s Str) Value { c.args(""); return hasCase(s, unicode.IsUpper) }),
	"istitle":      nil,
	"isidentifier": nil,
	"encode":       nil,
	"expandtabs":   nil,
	"format_map":   nil,
	"maketrans":    nil,
	"translate":    nil,
}

func isDigit(r rune) bool {
	return unicode.IsDigit(r) || r < 0x3000 && unicode.Is(unicode.No, r) && superDigit(r)
}

// superDigit reports whether a number is a digit in another form, such as ².
func superDigit(r rune) bool {
	return r == '²' || r == '³' || r == '¹' || 0x2070 <= r && r <= 0x2079 || 0x2080 <= r && r <= 0x2089 || 0x2460 <= r && r <= 0x2468
}

func all(s Str, is func(rune) bool) bool {
	for _, r := range s.c {
		if !is(plain(r)) {
			return false
		}
	}
	return true
}

func every(is func(rune) bool) func(*call, Value) Value {
	return bound(func(c *call, s Str) Value {
		c.args("")
		return len(s.c) > 0 && all(s, is)
	})
}

// hasCase reports whether all letters with a case have this one, and there is
// one.
func hasCase(s Str, is func(rune) bool) bool {
	some := false
	for _, r := range s.c {
		if r = plain(r); is(r) {
			some = true
		} else if cased(r) {
			return false
		}
	}
	return some
}

func strList(parts []Str) *List {
	l := &List{items: make([]Value, len(parts))}
	for i, p := range parts {
		l.items[i] = p
	}
	return l
}

// cat joins strings as they are.
func (in *interp) cat(parts ...Str) Str {
	b := &buffer{in: in}
	for _, p := range parts {
		b.add(p)
	}
	return Str{c: b.c, markup: parts[0].markup}
}

func stripper(left, right bool) func(*call, Value) Value {
	return bound(func(c *call, s Str) Value {
		v := c.args("/chars=")[0]
		var chars []rune
		if given(v) {
			chars = append([]rune{}, c.text(v).c...)
		}
		c.in.work(len(s.c) * (1 + len(chars)))
		return strip(s, chars, left, right)
	})
}

func splitter(right bool) func(*call, Value) Value {
	return bound(func(c *call, s Str) Value {
		a := c.args("sep=", "maxsplit=")
		most := c.integer(a[1], -1)
		if !given(a[0]) {
			c.in.work(len(s.c))
			parts := splitSpace
			if right {
				parts = rsplitSpace
				c.in.alloc(2 * len(s.c))
			}
			list := strList(parts(s, most))
			c.in.items(len(list.items))
			return list
		}
		sep := c.text(a[0]).c
		if len(sep) == 0 {
			c.in.fail(kindValue, "empty separator")
		}
		if right {
			return strList(c.in.rsplit(s, sep, most))
		}
		return strList(c.in.split(s, sep, most))
	})
}

// part is s[start:end] with the arguments of a method.
func (c *call) part(s Str, start, end Value) (part Str, from, to int) {
	clip := func(v Value, otherwise int) int {
		if !given(v) {
			return otherwise
		}
		i := c.integer(v, 0)
		if i < 0 {
			i = max(0, i+len(s.c))
		}
		return i
	}
	from, to = clip(start, 0), min(clip(end, len(s.c)), len(s.c))
	if from > to {
		return s.slice(0, 0), from, to
	}
	return s.slice(from, to), from, to
}

func affix(has func(c, part []rune) bool) func(*call, Value) Value {
	return bound(func(c *call, s Str) Value {
		a := c.args("/affix", "/start=", "/end=")
		part, from, to := c.part(s, a[1], a[2])
		choices := []Value{a[0]}
		if t, ok := a[0].(*Tuple); ok {
			choices = t.items
		}
		for _, v := range choices {
			if p, ok := v.(Str); !ok {
				c.in.fail(kindType, "%s first arg must be str or a tuple of str, not %s", c.name, typeName(v))
			} else if c.in.work(len(p.c)); from <= to && has(part.c, p.c) {
				return true
			}
		}
		return false
	})
}

func caseOf(f func(*interp, Str) Str) func(*call, Value) Value {
	return bound(func(c *call, s Str) Value {
		c.args("")
		return f(c.in, s)
	})
}

func (in *interp) findFrom(c, sub []rune) int { return in.index(c, sub, 0) }
func (in *interp) findLast(c, sub []rune) int { return in.lastIndex(c, sub) }

func finder(find func(in *interp, c, sub []rune) int, must bool) func(*call, Value) Value {
	return bound(func(c *call, s Str) Value {
		a := c.args("/sub", "/start=", "/end=")
		part, from, to := c.part(s, a[1], a[2])
		at := -1
		if sub := c.text(a[0]); from <= to {
			at = find(c.in, part.c, sub.c)
		}
		if at < 0 {
			if must {
				c.in.fail(kindValue, "substring not found")
			}
			return -1
		}
		return from + at
	})
}

func partitioner(right bool) func(*call, Value) Value {
	return bound(func(c *call, s Str) Value {
		sep := c.text(c.args("/sep")[0])
		if len(sep.c) == 0 {
			c.in.fail(kindValue, "empty separator")
		}
		none := s.slice(0, 0)
		find := (*interp).findFrom
		if right {
			find = (*interp).findLast
		}
		at := find(c.in, s.c, sep.c)
		switch {
		case at >= 0:
			return &Tuple{items: []Value{s.slice(0, at), s.slice(at, at+len(sep.c)), s.slice(at+len(sep.c), len(s.c))}}
		case right:
			return &Tuple{items: []Value{none, none, s}}
		}
		return &Tuple{items: []Value{s, none, none}}
	})
}

func cutAffix(s Str, part []rune, front bool) Value {
	n := len(part)
	switch {
	case len(s.c) < n:
	case front && sameChars(s.c[:n], part):
		return s.slice(n, len(s.c))
	case !front && sameChars(s.c[len(s.c)-n:], part):
		return s.slice(0, len(s.c)-n)
	}
	return s
}

// padder fills a string up to a width; left is how much of the filling stands
// in front.
func padder(left func(missing, n, width int) int) func(*call, Value) Value {
	return bound(func(c *call, s Str) Value {
		a := c.args("/width", "/fill=")
		fill := Literal(" ")
		if a[1] != absent {
			if fill = c.text(a[1]); len(fill.c) != 1 {
				c.in.fail(kindType, "The fill character must be exactly one character long")
			}
		}
		width := c.integer(a[0], 0)
		n := max(0, width-len(s.c))
		l := left(n, len(s.c), width)
		return c.in.cat(Str{c: c.in.repeat(fill, l, l).(Str).c, markup: s.markup}, s, c.in.repeat(fill, n-l, n).(Str))
	})
}

// joinAll is str.join, with what makes a string of an item.
func (in *interp) joinAll(sep Str, items Value, str func(Value) Str) Str {
	b := &buffer{in: in}
	next := in.iterate(items)
	first := true
	for v, ok := next(); ok; v, ok = next() {
		if !first {
			b.add(sep)
		}
		first = false
		b.add(str(v))
	}
	return Str{c: b.c, markup: sep.markup}
}

// dictMethods are the methods of dict that change nothing.
var dictMethods = methodTable{
	"get": func(c *call, of Value) Value {
		a := c.args("/key", "/default=")
		v, ok, isKey := of.(*Dict).lookup(a[0])
		switch {
		case !isKey:
			c.in.fail(kindType, "unhashable type: '%s'", typeName(a[0]))
		case ok:
			return v
		case a[1] == absent:
			return nil
		}
		return a[1]
	},
	"items":  viewer("items"),
	"keys":   viewer("keys"),
	"values": viewer("values"),
	"copy": func(c *call, of Value) Value {
		c.args("")
		d := NewDict()
		for i, key := range of.(*Dict).keys {
			c.in.set(d, key, of.(*Dict).vals[i])
		}
		return d
	},
	"fromkeys": nil,
}

func viewer(kind string) func(*call, Value) Value {
	return func(c *call, of Value) Value {
		c.args("")
		return view{of.(*Dict), kind}
	}
}

var tupleMethods = methodTable{
	"index": func(c *call, of Value) Value {
		v := c.args("/value")[0]
		for i, item := range c.in.list(of) {
			if c.in.equal(item, v) {
				return i
			}
		}
		c.in.fail(kindValue, "the value is not in the %s", typeName(of))
		return nil
	},
	"count": func(c *call, of Value) Value {
		v, n := c.args("/value")[0], 0
		for _, item := range c.in.list(of) {
			if c.in.equal(item, v) {
				n++
			}
		}
		return n
	},
}

// listMethods are the methods of list that change nothing.
var listMethods = methodTable{
	"index": tupleMethods["index"],
	"count": tupleMethods["count"],
	"copy": func(c *call, of Value) Value {
		c.args("")
		return &List{c.in.list(of)}
	},
}
