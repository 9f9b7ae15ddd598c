package jinja

import "slices"

// equal is Python's ==.
func (in *interp) equal(a, b Value) bool {
	in.enter()
	defer in.leave()
	if x, ok := number(a); ok {
		y, ok := number(b)
		if i, whole := asInt(a); whole {
			if j, whole := asInt(b); whole {
				return i == j
			}
		}
		return ok && x == y
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case Str:
		b, ok := b.(Str)
		if ok && len(a.c) == len(b.c) {
			in.work(len(a.c))
		}
		return ok && sameChars(a.c, b.c)
	case *undefined:
		_, ok := b.(*undefined)
		return ok
	case *List:
		b, ok := b.(*List)
		return ok && in.equalItems(a.items, b.items)
	case *Tuple:
		b, ok := b.(*Tuple)
		return ok && in.equalItems(a.items, b.items)
	case *Dict:
		b, ok := b.(*Dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false
		}
		for i, key := range a.keys {
			v, ok, _ := b.lookup(key)
			if !ok || !in.equal(a.vals[i], v) {
				return false
			}
		}
		return true
	case view:
		b, ok := b.(view)
		return ok && a.kind != "values" && a.kind == b.kind && in.equal(a.d, b.d)
	case *function:
		b, ok := b.(*function)
		return ok && a == b
	}
	return a == b // by identity
}

func (in *interp) equalItems(a, b []Value) bool {
	return slices.EqualFunc(a, b, in.equal)
}

// contains is Python's "item in container".
func (in *interp) contains(container, item Value) bool {
	switch c := container.(type) {
	case Str:
		s, ok := item.(Str)
		if !ok {
			in.fail(kindType, "'in <string>' requires string as left operand, not %s", typeName(item))
		}
		return in.index(c.c, s.c, 0) >= 0
	case *Dict:
		return in.has(c, item)
	case view:
		if c.kind == "keys" {
			return in.has(c.d, item)
		}
	}
	next, ok := in.tryIterate(container)
	if !ok {
		in.fail(kindType, "argument of type '%s' is not iterable", typeName(container))
	}
	for v, ok := next(); ok; v, ok = next() {
		if in.equal(v, item) {
			return true
		}
	}
	return false
}

func (in *interp) has(d *Dict, key Value) bool {
	_, ok, isKey := d.lookup(key)
	if !isKey {
		in.fail(kindType, "unhashable type: '%s'", typeName(key))
	}
	return ok
}

// order is Python's < and the like: it returns a negative number, 0 or a
// positive one. op is for the message where the values have no order.
func (in *interp) order(op string, a, b Value) (d int, ordered bool) {
	in.enter()
	defer in.leave()
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefined); ok {
			in.failUndefined(u)
		}
	}
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			i, whole := asInt(a)
			j, whole2 := asInt(b)
			switch {
			case whole && whole2 && i < j, x < y:
				return -1, true
			case whole && whole2 && i > j, x > y:
				return 1, true
			}
			return 0, x == y
		}
	}
	var left, right []Value
	switch a := a.(type) {
	case Str:
		if b, ok := b.(Str); ok {
			in.work(min(len(a.c), len(b.c)))
			return compareChars(a.c, b.c), true
		}
	case *List:
		if b, ok := b.(*List); ok {
			left, right = a.items, b.items
		}
	case *Tuple:
		if b, ok := b.(*Tuple); ok {
			left, right = a.items, b.items
		}
	}
	if left == nil && right == nil {
		l, r := typeName(a), typeName(b)
		if (l != "list" && l != "tuple") || l != r {
			in.fail(kindType, "'%s' not supported between instances of '%s' and '%s'", op, l, r)
		}
	}
	for i := range min(len(left), len(right)) {
		if !in.equal(left[i], right[i]) {
			return in.order(op, left[i], right[i])
		}
	}
	return len(left) - len(right), true
}

// less is Python's a < b.
func (in *interp) less(a, b Value) bool {
	d, ordered := in.order("<", a, b)
	return ordered && d < 0
}
