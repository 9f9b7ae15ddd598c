package jinja

import (
	"math"
	"strings"
	"unicode"
)

// A Value is what a program computes with: nil (None), bool, int, float64,
// Str, *List, *Tuple, *Dict, or what only programs make.
type Value any

// A List is a list of Python.
type List struct{ items []Value }

// NewList makes a list.
func NewList(items ...Value) *List { return &List{items} }

// Items are the items of the list; they must not be changed.
func (l *List) Items() []Value { return l.items }

// A Tuple is a tuple of Python; named ones are those of the filter groupby.
type Tuple struct {
	items []Value
	named bool
}

// A Dict is a dictionary of Python, which keeps the order of its keys.
type Dict struct {
	keys, vals []Value
	index      map[any]int // by hashable
}

// NewDict makes an empty dictionary.
func NewDict() *Dict { return &Dict{index: map[any]int{}} }

// Set gives a key a value. The key must be a Str, a number, a bool or nil.
func (d *Dict) Set(key, v Value) {
	h, ok := hashable(key)
	if !ok {
		panic("jinja: a key that cannot be one")
	}
	d.set(h, key, v)
}

func (d *Dict) set(h any, key, v Value) {
	if i, ok := d.index[h]; ok {
		d.vals[i] = v
		return
	}
	d.index[h] = len(d.keys)
	d.keys, d.vals = append(d.keys, key), append(d.vals, v)
}

// Get returns the value of a key that is a string.
func (d *Dict) Get(key string) (Value, bool) {
	i, ok := d.index[key]
	if !ok {
		return nil, false
	}
	return d.vals[i], true
}

// Keys are the keys in order; they must not be changed.
func (d *Dict) Keys() []Value { return d.keys }

func (d *Dict) lookup(key Value) (v Value, ok, isKey bool) {
	h, isKey := hashable(key)
	if !isKey {
		return nil, false, false
	}
	i, ok := d.index[h]
	if !ok {
		return nil, false, true
	}
	return d.vals[i], true, true
}

func (d *Dict) item(i int) Value { return &Tuple{items: []Value{d.keys[i], d.vals[i]}} }

// view is dict.keys(), values() or items().
type view struct {
	d    *Dict
	kind string // "keys", "values", "items"
}

func (v view) at(i int) Value {
	switch v.kind {
	case "keys":
		return v.d.keys[i]
	case "values":
		return v.d.vals[i]
	}
	return v.d.item(i)
}

// pyRange is range(start, stop, step).
type pyRange struct{ start, stop, step, n int }

func (r pyRange) at(i int) Value { return r.start + i*r.step }

// A generator is an iterator that gives its items once.
type generator struct{ next func() (Value, bool) }

// undefined is Jinja2's Undefined.
type undefined struct{ kind, msg string }

func undefinedName(name string) *undefined {
	return &undefined{kindUndefined, reprText(name) + " is undefined"}
}

// namespace is what namespace() makes.
type namespace struct{ attrs *Dict }

// A function is a function or a method that a program can call.
type function struct {
	name string
	call func(c *call) Value
}

type noneKey struct{}
type undefinedKey struct{}
type tupleKey string

// hashable is what a key is looked up by: equal for equal keys.
func hashable(v Value) (key any, ok bool) {
	switch v := v.(type) {
	case nil:
		return noneKey{}, true
	case Str:
		return v.String(), true
	case bool, int, float64:
		f, _ := number(v)
		if i, whole := asInt(v); whole {
			return i, true
		}
		if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int(f), true
		}
		return f, true
	case *undefined:
		return undefinedKey{}, true
	case *Tuple:
		var b strings.Builder
		for _, item := range v.items {
			k, ok := hashable(item)
			if !ok {
				return nil, false
			}
			b.WriteString(hashText(k))
		}
		return tupleKey(b.String()), true
	case *List, *Dict, view:
		return nil, false
	}
	return v, true
}

// asInt is the value of an int or a bool.
func asInt(v Value) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// number is the value of an int, a bool or a float.
func number(v Value) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	i, ok := asInt(v)
	return float64(i), ok
}

func typeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int:
		return "int"
	case float64:
		return "float"
	case Str:
		if v.markup {
			return "Markup"
		}
		return "str"
	case *List:
		return "list"
	case *Tuple:
		if v.named {
			return "_GroupTuple"
		}
		return "tuple"
	case *Dict:
		return "dict"
	case view:
		return "dict_" + v.kind
	case pyRange:
		return "range"
	case *generator:
		return "generator"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	case *macro:
		return "Macro"
	case *loop:
		return "LoopContext"
	case *cycler:
		return "Cycler"
	case *joiner:
		return "Joiner"
	}
	return "function"
}

// truth is Python's bool().
func (in *interp) truth(v Value) bool {
	switch v := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	}
	if n, ok := in.length(v); ok {
		return n > 0
	}
	return true
}

// length is Python's len(); false: the value has none.
func (in *interp) length(v Value) (int, bool) {
	switch v := v.(type) {
	case Str:
		return len(v.c), true
	case *List:
		return len(v.items), true
	case *Tuple:
		return len(v.items), true
	case *Dict:
		return len(v.keys), true
	case view:
		return len(v.d.keys), true
	case pyRange:
		return v.n, true
	case *undefined:
		return 0, true
	case *loop:
		return v.length(in), true
	}
	return 0, false
}

// indexed makes the iterator of n items.
func indexed(n int, at func(int) Value) func() (Value, bool) {
	i := 0
	return func() (Value, bool) {
		if i >= n {
			return nil, false
		}
		i++
		return at(i - 1), true
	}
}

// tryIterate is Python's iter(); false: the value is not iterable.
func (in *interp) tryIterate(v Value) (func() (Value, bool), bool) {
	var next func() (Value, bool)
	switch v := v.(type) {
	case Str:
		next = indexed(len(v.c), func(i int) Value { return v.slice(i, i+1) })
	case *List:
		next = indexed(len(v.items), func(i int) Value { return v.items[i] })
	case *Tuple:
		next = indexed(len(v.items), func(i int) Value { return v.items[i] })
	case *Dict:
		next = indexed(len(v.keys), func(i int) Value { return v.keys[i] })
	case view:
		next = indexed(len(v.d.keys), v.at)
	case pyRange:
		next = indexed(v.n, v.at)
	case *undefined:
		next = indexed(0, nil)
	case *generator:
		next = v.next
	case *loop:
		next = func() (Value, bool) {
			item, ok := v.advance()
			return &Tuple{items: []Value{item, v}}, ok
		}
	default:
		return nil, false
	}
	return func() (Value, bool) {
		in.step(1)
		return next()
	}, true
}

func (in *interp) iterate(v Value) func() (Value, bool) {
	next, ok := in.tryIterate(v)
	if !ok {
		in.fail(kindType, "'%s' object is not iterable", typeName(v))
	}
	return next
}

// list is Python's list().
func (in *interp) list(v Value) (items []Value) {
	next := in.iterate(v)
	for item, ok := next(); ok; item, ok = next() {
		in.items(1)
		items = append(items, item)
	}
	return items
}

func isPrintable(r rune) bool { return r == ' ' || unicode.IsPrint(r) }
