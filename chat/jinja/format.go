package jinja

import (
	"math"
	"strconv"
	"strings"
)

// A spec is how one value is formatted, by % or by str.format.
type spec struct {
	fill      rune
	align     byte // '<', '>', '^', '=', or 0: as the type has it
	sign      byte // '+', ' ' or 0
	alt       bool // '#'
	group     byte // ',' or '_' between thousands, or 0
	width     int
	precision int // -1: none
	verb      byte
}

// maxPrecision bounds the digits of a number.
const maxPrecision = 1000

// number formats a number by its verb: digits without a sign, and the sign.
func (in *interp) formatNumber(v Value, f spec) (sign, prefix, digits string) {
	if f.precision > maxPrecision {
		in.limit("a number of more than %d digits", maxPrecision)
	}
	x, _ := number(v)
	negative := math.Signbit(x)
	i, whole := asInt(v)
	switch f.verb {
	case 'd', 'n', 'x', 'X', 'o', 'b':
		base := map[byte]int{'x': 16, 'X': 16, 'o': 8, 'b': 2}[f.verb]
		if base == 0 {
			base = 10
		}
		if !whole {
			i = int(x)
		}
		digits = strconv.FormatUint(abs(i), base)
		if n := f.precision - len(digits); n > 0 {
			digits = strings.Repeat("0", n) + digits
		}
		if f.alt && base != 10 {
			prefix = "0" + string(f.verb|' ')
		}
		if f.verb == 'X' {
			digits, prefix = strings.ToUpper(digits), strings.ToUpper(prefix)
		}
		negative = i < 0
	default:
		digits = floatDigits(math.Abs(x), f)
	}
	switch {
	case negative:
		sign = "-"
	case f.sign != 0:
		sign = string(f.sign)
	}
	return sign, prefix, digits
}

// floatDigits is C's printf of a float that is not negative.
func floatDigits(x float64, f spec) string {
	precision := f.precision
	if precision < 0 {
		precision = 6
	}
	var s string
	verb := f.verb | ' '
	switch {
	case math.IsInf(x, 0) || math.IsNaN(x):
		s = floatText(x)
	case verb == 'f':
		s = strconv.FormatFloat(x, 'f', precision, 64)
	case verb == '%':
		s = strconv.FormatFloat(x*100, 'f', precision, 64) + "%"
	case verb == 'e':
		s = strconv.FormatFloat(x, 'e', precision, 64)
	default: // 'g', and no verb, which keeps one digit behind the point
		precision = max(precision, 1)
		s = strconv.FormatFloat(x, 'e', precision-1, 64)
		_, exp, _ := strings.Cut(s, "e")
		e, _ := strconv.Atoi(exp)
		most := precision
		if f.verb == 0 {
			most--
		}
		tail := ""
		if e < -4 || e >= most {
			s, tail, _ = strings.Cut(s, "e")
			tail = "e" + tail
		} else {
			s = strconv.FormatFloat(x, 'f', max(0, precision-1-e), 64)
		}
		if strings.Contains(s, ".") && !f.alt {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		if f.verb == 0 && tail == "" && !strings.Contains(s, ".") {
			s += ".0"
		}
		s += tail
	}
	if f.verb == 'G' || f.verb == 'E' || f.verb == 'F' {
		s = strings.ToUpper(s)
	}
	return s
}

// thousands puts a separator between groups of digits before the point, of at
// least width digits and separators.
func thousands(digits string, sep byte, size, width int) string {
	whole := strings.IndexFunc(digits, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) || r == 'e' })
	if whole < 0 || size == 4 {
		whole = len(digits)
	}
	head, tail := digits[:whole], digits[whole:]
	for {
		var b []byte
		for i := range len(head) {
			if i > 0 && (len(head)-i)%size == 0 {
				b = append(b, sep)
			}
			b = append(b, head[i])
		}
		if len(b)+len(tail) >= width {
			return string(b) + tail
		}
		head = "0" + head
	}
}

// padded writes text to the width of f.
func (b *buffer) padded(text Str, f spec, align byte) {
	missing := f.width - len(text.c)
	if missing <= 0 {
		b.add(text)
		return
	}
	if f.align != 0 {
		align = f.align
	}
	fill := f.fill
	if fill == 0 {
		fill = ' '
	}
	left := map[byte]int{'<': 0, '>': missing, '^': missing / 2}[align]
	one := Str{c: []rune{fill}}
	b.add(b.in.repeat(one, left, left).(Str))
	b.add(text)
	b.add(b.in.repeat(one, missing-left, missing).(Str))
}

// paddedNumber writes a number to the width of f, with filling behind the sign
// where f wants it there.
func (b *buffer) paddedNumber(v Value, f spec) {
	sign, prefix, digits := b.in.formatNumber(v, f)
	if f.group != 0 {
		size, width := 3, 0
		if strings.IndexByte("xXob", f.verb) >= 0 && f.verb != 0 {
			size = 4
		}
		if f.align == '=' && f.fill == '0' {
			width = min(f.width-len(sign)-len(prefix), 2*maxPrecision)
		}
		digits = thousands(digits, f.group, size, width)
	}
	if f.align == '=' {
		b.text(sign + prefix)
		f.width, f.align = f.width-len(sign)-len(prefix), '>'
		b.padded(Literal(digits), f, '>')
		return
	}
	b.padded(Literal(sign+prefix+digits), f, '>')
}

// percent is Python's s % v.
func (in *interp) percent(s Str, v Value) Value {
	b := &buffer{in: in}
	values, at := []Value{v}, 0
	mapping, _ := v.(*Dict)
	if t, ok := v.(*Tuple); ok {
		values = t.items
	}
	take := func() Value {
		if at >= len(values) {
			in.fail(kindType, "not enough arguments for format string")
		}
		at++
		return values[at-1]
	}
	c := s.c
	for i := 0; i < len(c); i++ {
		if plain(c[i]) != '%' {
			b.add(s.slice(i, i+1))
			continue
		}
		if i++; i < len(c) && plain(c[i]) == '%' {
			b.add(s.slice(i, i+1))
			continue
		}
		next := func() byte {
			if i >= len(c) {
				in.fail(kindValue, "incomplete format")
			}
			return byte(min(plain(c[i]), 0x7f))
		}
		arg := take
		if next() == '(' {
			if mapping == nil {
				in.fail(kindType, "format requires a mapping")
			}
			from, depth := i+1, 0
			for ; next() != ')' || depth > 1; i++ {
				depth += map[byte]int{'(': 1, ')': -1}[next()]
			}
			key := Str{c: c[from:i]}
			i++
			arg = func() Value {
				item, ok, _ := mapping.lookup(key)
				if !ok {
					in.fail("KeyError", "%s", reprText(key.String()))
				}
				at = 1
				return item
			}
		}
		f := spec{precision: -1}
		zero := false
		for ; strings.IndexByte("#0- +", next()) >= 0; i++ {
			switch next() {
			case '#':
				f.alt = true
			case '0':
				zero = true
			case '-':
				f.align = '<'
			case '+':
				f.sign = '+'
			case ' ':
				f.sign = max(f.sign, ' ')
			}
		}
		count := func() (n int) {
			if next() == '*' {
				i++
				n, ok := asInt(arg())
				if !ok {
					in.fail(kindType, "* wants int")
				}
				return n
			}
			for ; '0' <= next() && next() <= '9'; i++ {
				if n = n*10 + int(next()-'0'); n > MaxText {
					in.checkText(n)
				}
			}
			return n
		}
		if f.width = count(); f.width < 0 {
			f.width, f.align = -f.width, '<'
		}
		if next() == '.' {
			i++
			f.precision = max(0, count())
		}
		for strings.IndexByte("hlL", next()) >= 0 {
			i++
		}
		in.percentVerb(b, f, zero, next(), arg)
	}
	if at < len(values) && !isMapping(v) {
		in.fail(kindType, "not all arguments converted during string formatting")
	}
	return Str{c: b.c, markup: s.markup}
}

// isMapping is Python's PyMapping_Check, but for strings and tuples: % accepts
// such a value even if no format uses it.
func isMapping(v Value) bool {
	switch v.(type) {
	case *List, *Dict, pyRange, *undefined:
		return true
	}
	return false
}

// percentVerb writes the value of one format.
func (in *interp) percentVerb(b *buffer, f spec, zero bool, verb byte, arg func() Value) {
	v := arg()
	var text Str
	switch verb {
	case 's':
		text = in.str(v)
	case 'r':
		r := &buffer{in: in}
		in.writeRepr(r, v)
		text = r.str()
	case 'c':
		if i, ok := asInt(v); ok && 0 <= i && i <= 0x10FFFF {
			text = Str{c: []rune{rune(i)}}
		} else if s, ok := v.(Str); ok && len(s.c) == 1 {
			text = s
		} else {
			in.fail(kindType, "%%c requires int or char")
		}
	case 'd', 'i', 'u', 'x', 'X', 'o', 'e', 'E', 'f', 'F', 'g', 'G':
		x, ok := number(v)
		_, whole := asInt(v)
		if !ok || !whole && strings.IndexByte("xXo", verb) >= 0 {
			in.fail(kindType, "%%%c format: a real number is required, not %s", verb, typeName(v))
		}
		if !whole && strings.IndexByte("diu", verb) >= 0 && !(math.Abs(x) < 1<<63) {
			in.overflow()
		}
		if f.verb = verb; verb == 'i' || verb == 'u' {
			f.verb = 'd'
		}
		if zero && f.align == 0 {
			f.fill, f.align = '0', '='
		}
		b.paddedNumber(v, f)
		return
	case 'a':
		in.fail(kindMissing, "the format %%a is not implemented")
	default:
		in.fail(kindValue, "unsupported format character '%c' (0x%x)", verb, verb)
	}
	if f.precision >= 0 {
		text = text.slice(0, min(f.precision, len(text.c)))
	}
	b.padded(text, f, '>')
}
