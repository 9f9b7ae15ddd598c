package jinja

import (
	"slices"
	"strings"
)

// getAttr is a.name: an attribute, or else an item.
func (in *interp) getAttr(of Value, name string, key Str) Value {
	if u, ok := of.(*undefined); ok && !slices.Contains(dunders, name) {
		in.failUndefined(u)
	}
	if v, ok := in.attr(of, name); ok {
		return v
	}
	if v, ok := in.itemOf(of, key); ok {
		return v
	}
	return missingAttr(of, key)
}

// getItem is a[key]: an item, or else an attribute.
func (in *interp) getItem(of, key Value) Value {
	if u, ok := of.(*undefined); ok {
		in.failUndefined(u)
	}
	if v, ok := in.itemOf(of, key); ok {
		return v
	}
	if s, ok := key.(Str); ok {
		if v, ok := in.attr(of, s.String()); ok {
			return v
		}
	}
	return missingAttr(of, key)
}

// missingAttr is the Undefined that stands for what an object lacks.
func missingAttr(of, key Value) *undefined {
	object := typeName(of) + " object"
	switch of.(type) {
	case nil:
		object = "None"
	case *namespace:
		object = "jinja2.utils.Namespace object"
	case *macro, *loop:
		object = "jinja2.runtime." + object
	case *cycler, *joiner:
		object = "jinja2.utils." + object
	}
	s, ok := key.(Str)
	if !ok {
		return &undefined{kindUndefined, object + " has no element " + shortRepr(key)}
	}
	return &undefined{kindUndefined, reprText(object) + " has no attribute " + reprText(s.String())}
}

// shortRepr is the repr of a key for a message.
func shortRepr(key Value) string {
	switch key := key.(type) {
	case int, float64, bool, nil:
		b := &buffer{in: &interp{}}
		b.in.writeRepr(b, key)
		return b.str().String()
	default:
		return "of type " + typeName(key)
	}
}

// itemOf is Python's a[key]; false: TypeError, or LookupError.
func (in *interp) itemOf(of, key Value) (Value, bool) {
	if d, ok := of.(*Dict); ok {
		if s, ok := key.(Str); ok {
			in.work(len(s.c))
		}
		v, ok, _ := d.lookup(key)
		return v, ok
	}
	i, ok := asInt(key)
	if !ok {
		return nil, false
	}
	var n int
	var at func(int) Value
	switch of := of.(type) {
	case Str:
		n, at = len(of.c), func(i int) Value { return of.slice(i, i+1) }
	case *List:
		n, at = len(of.items), func(i int) Value { return of.items[i] }
	case *Tuple:
		n, at = len(of.items), func(i int) Value { return of.items[i] }
	case pyRange:
		n, at = of.n, of.at
	default:
		return nil, false
	}
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return nil, false
	}
	return at(i), true
}

// slice is a[from:to:step]; nil bounds are absent.
func (in *interp) slice(of Value, bounds [3]Value) Value {
	if u, ok := of.(*undefined); ok {
		in.failUndefined(u)
	}
	var n int
	switch of.(type) {
	case Str, *List, *Tuple, pyRange:
		n, _ = in.length(of)
	default:
		in.fail(kindType, "'%s' object is not subscriptable", typeName(of))
	}
	ints := [3]int{}
	for i, b := range bounds {
		v, ok := asInt(b)
		if b != nil && !ok {
			in.fail(kindType, "slice indices must be integers or None or have an __index__ method")
		}
		ints[i] = v
	}
	step := 1
	if bounds[2] != nil {
		if step = ints[2]; step == 0 {
			in.fail(kindValue, "slice step cannot be zero")
		}
	}
	low, high := 0, n // the range of bounds
	from, to := 0, n
	if step < 0 {
		low, high = -1, n-1
		from, to = n-1, -1
	}
	clip := func(i int) int {
		if i < 0 {
			i = max(i+n, -1)
		}
		return min(max(i, low), high)
	}
	if bounds[0] != nil {
		from = clip(ints[0])
	}
	if bounds[1] != nil {
		to = clip(ints[1])
	}
	count := 0
	if step > 0 && to > from {
		count = (to-from-1)/step + 1
	} else if step < 0 && from > to {
		count = (from-to-1)/-step + 1
	}
	switch of := of.(type) {
	case Str:
		if step == 1 {
			return of.slice(from, from+count)
		}
		in.alloc(count)
		return Str{c: pick(of.c, from, step, count), markup: of.markup}
	case *List:
		in.items(count)
		return &List{pick(of.items, from, step, count)}
	case *Tuple:
		in.items(count)
		return &Tuple{items: pick(of.items, from, step, count)}
	}
	r := of.(pyRange)
	return pyRange{r.start + from*r.step, r.start + to*r.step, r.step * step, count}
}

func pick[T any](s []T, from, step, count int) []T {
	out := make([]T, count)
	for i := range out {
		out[i] = s[from+i*step]
	}
	return out
}

// mutators are the methods that would change a value, which the sandbox
// refuses.
var mutators = map[string][]string{
	"dict": {"clear", "pop", "popitem", "setdefault", "update"},
	"list": {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"},
}

// attr is an attribute of a value, without those that a program must not see.
func (in *interp) attr(of Value, name string) (Value, bool) {
	t := typeName(of)
	if slices.Contains(dunders, name) || slices.Contains(mutators[t], name) {
		return &undefined{kindSecurity, "access to attribute " + reprText(name) + " of " + reprText(t) + " object is unsafe."}, true
	}
	switch of := of.(type) {
	case bool, int, float64:
		if slices.Contains(numberAttrs, name) {
			in.fail(kindMissing, "the attribute %s of numbers is not implemented", name)
		}
	case Str:
		if name == "format" {
			return &function{"str.format", func(c *call) Value { return in.format(of, c) }}, true
		}
		return method(of, "str", name, strMethods)
	case *Dict:
		return method(of, t, name, dictMethods)
	case *List:
		return method(of, t, name, listMethods)
	case *Tuple:
		if i := slices.Index([]string{"grouper", "list"}, name); of.named && i >= 0 {
			return of.items[i], true
		}
		return method(of, t, name, tupleMethods)
	case *namespace:
		return of.attrs.Get(name)
	case *loop:
		return of.attr(in, name)
	case *cycler:
		return of.attr(name)
	case *macro:
		switch name {
		case "name":
			return Literal(of.node.name), true
		case "arguments":
			names := &Tuple{}
			for _, p := range of.node.params {
				names.items = append(names.items, Literal(p))
			}
			return names, true
		case "caller":
			return of.node.reads.caller, true
		case "catch_kwargs":
			return of.node.reads.kwargs, true
		case "catch_varargs":
			return of.node.reads.varargs, true
		}
	}
	return nil, false
}

// dunders are attributes that every object of Python has.
var dunders = strings.Fields("__class__ __delattr__ __dict__ __dir__ __doc__ __eq__ __format__ __ge__ __getattribute__ __gt__ __hash__ " +
	"__init__ __init_subclass__ __iter__ __le__ __len__ __lt__ __module__ __ne__ __new__ __reduce__ __reduce_ex__ __repr__ " +
	"__setattr__ __sizeof__ __str__ __subclasshook__ __contains__ __getitem__ __add__ __mul__ __globals__ __code__ __call__")

// numberAttrs are the attributes of Python's numbers.
var numberAttrs = strings.Fields("as_integer_ratio bit_count bit_length conjugate denominator from_bytes fromhex hex imag is_integer numerator real to_bytes")

// A methodTable has the methods of a type; a nil one exists in Python and is
// not implemented.
type methodTable map[string]func(c *call, of Value) Value

func method(of Value, t, name string, table methodTable) (Value, bool) {
	f, ok := table[name]
	if !ok {
		return nil, false
	}
	return &function{t + "." + name, func(c *call) Value {
		if f == nil {
			c.in.fail(kindMissing, "the method %s.%s is not implemented", t, name)
		}
		return f(c, of)
	}}, true
}

// args binds arguments to parameters: names in order, "a=" for one that may be
// missing (then its value is absent), "/a" for one that has no name.
func (c *call) args(params ...string) []Value {
	if len(params) == 1 && params[0] == "" {
		params = nil
	}
	if len(c.pos) > len(params) {
		c.in.fail(kindType, "%s() takes %d arguments, %d were given", c.name, len(params), len(c.pos))
	}
	out := make([]Value, len(params))
	for i, p := range params {
		name := strings.Trim(p, "/=")
		v, named := Value(nil), false
		if !strings.HasPrefix(p, "/") {
			v, named = c.take(name)
		}
		switch {
		case i < len(c.pos) && named:
			c.in.fail(kindType, "%s() got multiple values for argument '%s'", c.name, name)
		case i < len(c.pos):
			out[i] = c.pos[i]
		case named:
			out[i] = v
		case strings.HasSuffix(p, "="):
			out[i] = absent
		default:
			c.in.fail(kindType, "%s() missing the argument '%s'", c.name, name)
		}
	}
	if len(c.names) > 0 {
		c.in.fail(kindType, "%s() got an unexpected keyword argument %s", c.name, reprText(c.names[0]))
	}
	return out
}

// absent is the value of an argument that was not given.
var absent = &undefined{}

// given reports whether an argument was given, and not as None.
func given(v Value) bool { return v != absent && v != nil }

// integer is an argument that must be an int; otherwise is its default.
func (c *call) integer(v Value, otherwise int) int {
	if v == absent {
		return otherwise
	}
	i, ok := asInt(v)
	if !ok {
		if u, ok := v.(*undefined); ok {
			c.in.failUndefined(u)
		}
		c.in.fail(kindType, "'%s' object cannot be interpreted as an integer", typeName(v))
	}
	return i
}

// flag is an argument that counts as true or false.
func (c *call) flag(v Value, otherwise bool) bool {
	if v == absent {
		return otherwise
	}
	return c.in.truth(v)
}

// text is an argument that must be a str.
func (c *call) text(v Value) Str {
	s, ok := v.(Str)
	if !ok {
		c.in.fail(kindType, "%s() argument must be str, not %s", c.name, typeName(v))
	}
	return s
}
