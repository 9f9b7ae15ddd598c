package jinja

import (
	"math"
	"math/bits"
)

// arithmetic is an operation of Python on two values.
func (in *interp) arithmetic(op string, a, b Value) Value {
	s, isStr := a.(Str)
	if isStr && op == "%" {
		return in.percent(s, b)
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefined); ok {
			in.failUndefined(u)
		}
	}
	i, whole := asInt(a)
	j, whole2 := asInt(b)
	x, isNum := number(a)
	y, isNum2 := number(b)
	switch {
	case whole && whole2:
		return in.integers(op, i, j)
	case isNum && isNum2:
		return in.floats(op, x, y)
	case op == "*" && whole:
		return in.repeat(b, i, a)
	case op == "*" && whole2:
		return in.repeat(a, j, b)
	}
	if op == "+" {
		switch a := a.(type) {
		case Str:
			if b, ok := b.(Str); ok {
				return in.join(a, b)
			}
		case *List:
			if b, ok := b.(*List); ok {
				return &List{in.concat(a.items, b.items)}
			}
		case *Tuple:
			if b, ok := b.(*Tuple); ok {
				return &Tuple{items: in.concat(a.items, b.items)}
			}
		}
		switch t := typeName(a); t {
		case "str", "list", "tuple":
			in.fail(kindType, `can only concatenate %s (not "%s") to %s`, t, typeName(b), t)
		}
	}
	return in.unsupported(op, a, b)
}

func (in *interp) unsupported(op string, a, b Value) Value {
	in.fail(kindType, "unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
	return nil
}

func (in *interp) concat(a, b []Value) []Value {
	in.items(len(a) + len(b))
	return append(append(make([]Value, 0, len(a)+len(b)), a...), b...)
}

// join is a + b; what is added to Markup is escaped.
func (in *interp) join(a, b Str) Str {
	switch {
	case a.markup && !b.markup:
		b = in.escape(b)
	case b.markup && !a.markup:
		a = in.escape(a)
	}
	out := in.extend(a, b.c)
	out.markup = a.markup || b.markup
	return out
}

// escape is markupsafe's escape.
func (in *interp) escape(s Str) Str {
	out := make([]rune, 0, len(s.c))
	for _, r := range s.c {
		var esc string
		switch plain(r) {
		case '&':
			esc = "&amp;"
		case '<':
			esc = "&lt;"
		case '>':
			esc = "&gt;"
		case '"':
			esc = "&#34;"
		case '\'':
			esc = "&#39;"
		default:
			out = append(out, r)
			continue
		}
		for _, e := range esc {
			out = append(out, e|r&fromContent)
		}
	}
	in.alloc(len(out))
	in.checkText(len(out))
	return Str{c: out, markup: true}
}

// repeat is v * n; count is the number as it was written.
func (in *interp) repeat(v Value, n int, count Value) Value {
	n = max(n, 0)
	switch v := v.(type) {
	case Str:
		if n > 0 && len(v.c) > MaxText/n {
			in.limit("a string of more than %d characters", MaxText)
		}
		in.alloc(len(v.c) * n)
		out := make([]rune, 0, len(v.c)*n)
		for range n * min(1, len(v.c)) {
			out = append(out, v.c...)
		}
		return Str{c: out, markup: v.markup}
	case *List:
		return &List{in.repeatItems(v.items, n)}
	case *Tuple:
		return &Tuple{items: in.repeatItems(v.items, n)}
	}
	return in.unsupported("*", v, count)
}

func (in *interp) repeatItems(items []Value, n int) (out []Value) {
	if n > 0 && len(items) > MaxChars/n {
		in.limit("a list of more than %d items", MaxChars/itemChars)
	}
	in.items(len(items) * n)
	for range n * min(1, len(items)) {
		out = append(out, items...)
	}
	return out
}

func (in *interp) overflow() int {
	in.fail(kindMissing, "an integer above 64 bits")
	return 0
}

func (in *interp) add(i, j int) int {
	if k := i + j; (k > i) == (j > 0) {
		return k
	}
	return in.overflow()
}

func (in *interp) subtract(i, j int) int {
	if k := i - j; (k < i) == (j > 0) {
		return k
	}
	return in.overflow()
}

func (in *interp) multiply(i, j int) int {
	hi, lo := bits.Mul64(abs(i), abs(j))
	if hi != 0 || lo > math.MaxInt64 {
		return in.overflow()
	}
	return i * j
}

func abs(i int) uint64 {
	if i < 0 {
		return -uint64(i)
	}
	return uint64(i)
}

func (in *interp) integers(op string, i, j int) Value {
	switch op {
	case "+":
		return in.add(i, j)
	case "-":
		return in.subtract(i, j)
	case "*":
		return in.multiply(i, j)
	case "**":
		if j < 0 {
			return in.floats(op, float64(i), float64(j))
		}
		return in.power(i, j)
	}
	if j == 0 {
		in.fail(kindZero, "%s", map[string]string{"/": "division by zero", "//": "integer division or modulo by zero", "%": "integer modulo by zero"}[op])
	}
	switch op {
	case "/":
		return float64(i) / float64(j)
	case "//":
		if i == math.MinInt && j == -1 {
			return in.overflow()
		}
		q := i / j
		if i%j != 0 && (i < 0) != (j < 0) {
			q--
		}
		return q
	}
	r := i % j
	if r != 0 && (r < 0) != (j < 0) {
		r += j
	}
	return r
}

// power is i ** j for j >= 0.
func (in *interp) power(i, j int) int {
	out := 1
	switch {
	case i == 0 && j > 0:
		return 0
	case i == 1 || i == -1:
		j %= 2
	}
	for range j { // ends early: it grows
		out = in.multiply(out, i)
	}
	return out
}

func (in *interp) floats(op string, x, y float64) Value {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "**":
		z := math.Pow(x, y)
		switch {
		case x == 0 && y < 0:
			in.fail(kindZero, "0.0 cannot be raised to a negative power")
		case math.IsNaN(z) && !math.IsNaN(x) && !math.IsNaN(y):
			in.fail(kindMissing, "a complex number")
		case math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0):
			in.fail(kindOverflow, "(34, 'Numerical result out of range')")
		}
		return z
	}
	if y == 0 {
		in.fail(kindZero, "%s", map[string]string{"/": "float division by zero", "//": "float floor division by zero", "%": "float modulo"}[op])
	}
	if op == "/" {
		return x / y
	}
	r := math.Mod(x, y)
	if r != 0 && (r < 0) != (y < 0) {
		r += y
	}
	if op == "%" {
		if r == 0 {
			return math.Copysign(0, y)
		}
		return r
	}
	q := (x - r) / y
	if f := math.Floor(q); q-f > 0.5 {
		q = f + 1
	} else {
		q = f
	}
	return q
}
