package jinja

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var floatForm = regexp.MustCompile(`^[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)([eE][+-]?\d+(_\d+)*)?$`)

// float is Python's float(); false: it raises TypeError or ValueError.
func (in *interp) float(v Value) (float64, bool) {
	if s, ok := v.(Str); ok {
		in.work(8 * len(s.c))
		text := strings.ToLower(strip(s, nil, true, true).String())
		switch strings.TrimLeft(text, "+-") {
		case "inf", "infinity", "nan":
			f, err := strconv.ParseFloat(text, 64)
			return f, err == nil
		}
		if !floatForm.MatchString(text) {
			return 0, false
		}
		f, _ := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		return f, true
	}
	if u, ok := v.(*undefined); ok {
		in.failUndefined(u)
	}
	return number(v)
}

func intFilter(c *call, v Value) Value {
	a := c.args("default=", "base=")
	base := c.integer(a[1], 10)
	if s, ok := v.(Str); ok {
		c.in.work(8 * len(s.c))
		if i, ok := c.in.parseInt(strip(s, nil, true, true).String(), base); ok {
			return i
		}
	} else if i, ok := asInt(v); ok {
		return i
	}
	if f, ok := c.in.float(v); ok && !math.IsNaN(f) && !math.IsInf(f, 0) {
		if math.Abs(f) >= 1<<63 {
			return c.in.overflow()
		}
		return int(f)
	}
	if f, ok := v.(float64); ok && math.IsInf(f, 0) { // int(inf), outside do_int's try
		c.in.fail(kindOverflow, "cannot convert float infinity to integer")
	}
	if a[0] == absent {
		return 0
	}
	return a[0]
}

var intForm = regexp.MustCompile(`^[+-]?[0-9a-zA-Z]+(_[0-9a-zA-Z]+)*$`)

// parseInt is Python's int(text, base).
func (in *interp) parseInt(text string, base int) (int, bool) {
	if !intForm.MatchString(text) || base == 1 || base < 0 || base > 36 {
		return 0, false
	}
	sign := strings.TrimLeft(text, "+-")
	prefix := text[:len(text)-len(sign)]
	digits := strings.ReplaceAll(sign, "_", "")
	for p, b := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
		if low := strings.ToLower(digits); strings.HasPrefix(low, p) && (base == b || base == 0) {
			digits, base = digits[2:], b
		}
	}
	if base == 0 {
		if base = 10; len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0") != "" {
			return 0, false
		}
	}
	i, err := strconv.ParseInt(prefix+digits, base, 64)
	if err != nil {
		if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
			return in.overflow(), true
		}
		return 0, false
	}
	return int(i), true
}

func roundFilter(c *call, v Value) Value {
	a := c.args("precision=", "method=")
	method := "common"
	if a[1] != absent {
		method = c.in.str(a[1]).String()
	}
	if !slices.Contains([]string{"common", "ceil", "floor"}, method) {
		c.in.fail(kindArgument, "method must be common, ceil or floor")
	}
	if u, ok := v.(*undefined); ok {
		c.in.failUndefined(u)
	}
	f, ok := number(v)
	precision := c.integer(a[0], 0)
	i, whole := asInt(v)
	switch {
	case !ok:
		c.in.fail(kindType, "type %s doesn't define __round__ method", typeName(v))
	case method == "common" && whole:
		if precision >= 0 {
			return i
		}
		return roundInt(i, -precision)
	case math.IsNaN(f) || math.IsInf(f, 0):
		return f
	case method == "common":
		return roundFloat(f, precision)
	}
	scale := math.Pow(10, float64(precision))
	if method == "ceil" {
		return math.Ceil(f*scale) / scale
	}
	return math.Floor(f*scale) / scale
}

// roundInt rounds to a multiple of 10^n, halves to even.
func roundInt(i, n int) int {
	if n > 18 {
		return 0
	}
	p := 1
	for range n {
		p *= 10
	}
	q, r := i/p, i%p
	if r < 0 {
		r += p
		q--
	}
	if 2*r > p || 2*r == p && q%2 != 0 {
		q++
	}
	return q * p
}

// roundFloat is Python's round(f, n): correct rounding of the exact value.
func roundFloat(f float64, n int) float64 {
	if n > 400 {
		return f
	}
	if n < 0 {
		if n < -400 {
			return math.Copysign(0, f)
		}
		text := strconv.FormatFloat(f, 'e', -1, 64)
		_, exp, _ := strings.Cut(text, "e")
		if e, _ := strconv.Atoi(exp); e+n < -1 {
			return math.Copysign(0, f)
		}
		p := math.Pow(10, float64(-n))
		return math.RoundToEven(f/p) * p
	}
	g, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', n, 64), 64)
	return g
}
