package jinja

import (
	"strconv"
	"strings"
	"unicode"
)

// formatter is str.format with its arguments.
type formatter struct {
	in     *interp
	c      *call
	auto   int  // the next field without a number
	manual bool // fields have numbers
}

func (in *interp) format(s Str, c *call) Value {
	b := &buffer{in: in}
	(&formatter{in: in, c: c}).write(b, s.c, 0)
	return Str{c: b.c, markup: s.markup}
}

// write formats the fields in c; depth counts fields inside of fields.
func (m *formatter) write(b *buffer, c []rune, depth int) {
	in := m.in
	if depth > 1 {
		in.fail(kindValue, "Max string recursion exceeded")
	}
	for i := 0; i < len(c); i++ {
		r := plain(c[i])
		if r != '{' && r != '}' {
			b.add(Str{c: c[i : i+1]})
			continue
		}
		if i+1 < len(c) && plain(c[i+1]) == r {
			b.add(Str{c: c[i : i+1]})
			i++
			continue
		}
		if r == '}' {
			in.fail(kindValue, "Single '}' encountered in format string")
		}
		from, open := i+1, 1
		for i++; i < len(c); i++ {
			if r := plain(c[i]); r == '{' {
				open++
			} else if r == '}' {
				if open--; open == 0 {
					break
				}
			}
		}
		if i >= len(c) {
			if from >= len(c) {
				in.fail(kindValue, "Single '{' encountered in format string")
			}
			in.fail(kindValue, "expected '}' before end of string")
		}
		m.field(b, c[from:i], depth)
	}
}

// field formats "name!conversion:spec".
func (m *formatter) field(b *buffer, c []rune, depth int) {
	in := m.in
	nameEnd, brackets := 0, false
	for nameEnd < len(c) {
		r := plain(c[nameEnd])
		if !brackets && (r == '!' || r == ':') {
			break
		}
		brackets = r == '[' || brackets && r != ']'
		nameEnd++
	}
	v := m.value(Str{c: c[:nameEnd]}.String())
	rest := c[nameEnd:]
	if len(rest) > 0 && plain(rest[0]) == '!' {
		if len(rest) < 2 || len(rest) > 2 && plain(rest[2]) != ':' {
			in.fail(kindValue, "expected ':' after conversion specifier")
		}
		switch plain(rest[1]) {
		case 's':
			v = in.str(v)
		case 'r':
			r := &buffer{in: in}
			in.writeRepr(r, v)
			v = r.str()
		default:
			in.fail(kindMissing, "the conversion !%c of str.format is not implemented", plain(rest[1]))
		}
		rest = rest[2:]
	}
	text := &buffer{in: in}
	if len(rest) > 0 {
		m.write(text, rest[1:], depth+1)
	}
	m.formatValue(b, v, text.str().String())
}

// value looks up a field's name, such as 0, name, 0.attribute or 0[key].
func (m *formatter) value(name string) Value {
	in := m.in
	n := strings.IndexAny(name, ".[")
	if n < 0 {
		n = len(name)
	}
	first, rest := name[:n], name[n:]
	var v Value
	i, err := strconv.Atoi(first)
	switch {
	case first == "" || err == nil:
		if first == "" {
			i = m.auto
			m.auto++
		}
		if m.manual = m.manual || first != ""; m.manual && m.auto > 0 {
			in.fail(kindValue, "cannot switch between automatic field numbering and manual field specification")
		}
		if i < 0 || i >= len(m.c.pos) {
			in.fail("IndexError", "Replacement index %d out of range for positional args tuple", i)
		}
		v = m.c.pos[i]
	default:
		var ok bool
		if v, ok = m.c.peek(first); !ok {
			in.fail("KeyError", "%s", reprText(first))
		}
	}
	for rest != "" {
		switch {
		case rest[0] == '.':
			n := strings.IndexAny(rest[1:], ".[") + 1
			if n == 0 {
				n = len(rest)
			}
			v = in.getAttr(v, rest[1:n], Literal(rest[1:n]))
			rest = rest[n:]
		case rest[0] == '[' && strings.Contains(rest, "]"):
			n := strings.IndexByte(rest, ']')
			var key Value = Literal(rest[1:n])
			if i, err := strconv.Atoi(rest[1:n]); err == nil && i >= 0 {
				key = i
			}
			v = in.getItem(v, key)
			rest = rest[n+1:]
		default:
			in.fail(kindValue, "Only '.' or '[' may follow ']' in format field specifier")
		}
	}
	return v
}

// peek returns a keyword argument.
func (c *call) peek(name string) (Value, bool) {
	for i, n := range c.names {
		if n == name {
			return c.named[i], true
		}
	}
	return nil, false
}

// formatValue is Python's format(v, text).
func (m *formatter) formatValue(b *buffer, v Value, text string) {
	in := m.in
	if text == "" {
		in.writeStr(b, v)
		return
	}
	_, isNumber := number(v)
	s, isStr := v.(Str)
	if !isNumber && !isStr {
		in.fail(kindType, "unsupported format string passed to %s.__format__", typeName(v))
	}
	f := in.parseSpec(text)
	code := func() {
		in.fail(kindValue, "Unknown format code '%c' for object of type '%s'", f.verb, typeName(v))
	}
	if isStr {
		if f.verb != 0 && f.verb != 's' {
			code()
		}
		if f.align == '=' && f.fill == '0' { // from a leading zero
			f.align = '<'
		}
		if f.align == '=' || f.sign != 0 || f.group != 0 {
			in.fail(kindValue, "Sign, '=' or ',' not allowed in string format specifier")
		}
		if f.precision >= 0 {
			s = s.slice(0, min(f.precision, len(s.c)))
		}
		b.padded(s, f, '<')
		return
	}
	i, whole := asInt(v)
	switch {
	case whole && (f.verb == 0 || strings.IndexByte("dnxXob", f.verb) >= 0):
		if f.precision >= 0 {
			in.fail(kindValue, "Precision not allowed in integer format specifier")
		}
		if f.verb == 0 {
			f.verb = 'd'
		}
	case whole && f.verb == 'c':
		if i < 0 || i > unicode.MaxRune {
			in.fail(kindOverflow, "%%c arg not in range(0x110000)")
		}
		b.padded(Str{c: []rune{rune(i)}}, f, '<')
		return
	case f.verb == 0:
		if f.precision < 0 { // as repr has it
			sign, digits := "", floatText(v.(float64))
			if digits[0] == '-' {
				sign, digits = "-", digits[1:]
			} else if f.sign != 0 {
				sign = string(f.sign)
			}
			if f.group != 0 {
				digits = thousands(digits, f.group, 3, 0)
			}
			if f.align == '=' {
				b.text(sign)
				f.width, f.align = f.width-len(sign), '>'
				b.padded(Literal(digits), f, '>')
				return
			}
			b.padded(Literal(sign+digits), f, '>')
			return
		}
	case strings.IndexByte("eEfFgGn%", f.verb) < 0:
		code()
	}
	if f.verb == 'n' && !whole {
		f.verb = 'g'
	}
	b.paddedNumber(v, f)
}

// parseSpec reads [[fill]align][sign][#][0][width][,][.precision][type].
func (in *interp) parseSpec(text string) (f spec) {
	f.precision = -1
	r := []rune(text)
	at := func() rune {
		if len(r) == 0 {
			return 0
		}
		return r[0]
	}
	isAlign := func(c rune) bool { return c != 0 && strings.ContainsRune("<>^=", c) }
	if len(r) > 1 && isAlign(r[1]) {
		f.fill, f.align, r = r[0], byte(r[1]), r[2:]
	} else if isAlign(at()) {
		f.align, r = byte(r[0]), r[1:]
	}
	if c := at(); c == '+' || c == '-' || c == ' ' {
		if r = r[1:]; c != '-' {
			f.sign = byte(c)
		}
	}
	if at() == '#' {
		f.alt, r = true, r[1:]
	}
	if at() == '0' {
		if r = r[1:]; f.fill == 0 {
			f.fill = '0'
		}
		if f.align == 0 {
			f.align = '='
		}
	}
	count := func() (n int) {
		for ; '0' <= at() && at() <= '9'; r = r[1:] {
			n = n*10 + int(at()-'0')
			in.checkText(n)
		}
		return n
	}
	f.width = count()
	if c := at(); c == ',' || c == '_' {
		f.group, r = byte(c), r[1:]
	}
	if at() == '.' {
		r = r[1:]
		if c := at(); c < '0' || c > '9' {
			in.fail(kindValue, "Format specifier missing precision")
		}
		f.precision = count()
	}
	if c := at(); c != 0 && c < 0x80 {
		f.verb, r = byte(c), r[1:]
	}
	if len(r) > 0 {
		in.fail(kindValue, "Invalid format specifier")
	}
	return f
}
