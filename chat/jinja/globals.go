package jinja

// globals are the functions that every program has: those of Jinja2, and those
// that transformers adds.
var globals = map[string]*function{
	"range":           {"range", rangeFunc},
	"dict":            {"dict", dictFunc},
	"namespace":       {"namespace", func(c *call) Value { return &namespace{dictFunc(c).(*Dict)} }},
	"cycler":          {"cycler", cyclerFunc},
	"joiner":          {"joiner", joinerFunc},
	"lipsum":          {"lipsum", func(c *call) Value { c.in.fail(kindMissing, "the function lipsum is not implemented"); return nil }},
	"raise_exception": {"raise_exception", raiseFunc},
	"strftime_now": {"strftime_now", func(c *call) Value {
		return Literal(c.strftime(c.text(c.args("format")[0]).String()))
	}},
}

func raiseFunc(c *call) Value {
	c.in.fail(kindRaised, "%s", c.in.str(c.args("message")[0]))
	return nil
}

func rangeFunc(c *call) Value {
	a := c.args("/start", "/stop=", "/step=")
	start, stop, step := c.integer(a[0], 0), 0, c.integer(a[2], 1)
	if a[1] == absent {
		start, stop = 0, start
	} else {
		stop = c.integer(a[1], 0)
	}
	n := 0
	switch in := c.in; {
	case step == 0:
		in.fail(kindValue, "range() arg 3 must not be zero")
	case step > 0 && stop > start:
		n = in.subtract(in.subtract(stop, start), 1)/step + 1
	case step < 0 && start > stop:
		n = in.subtract(in.subtract(start, stop), 1)/in.subtract(0, step) + 1
	}
	if n > maxRange {
		c.in.fail(kindOverflow, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	return pyRange{start, stop, step, n}
}

// dictFunc is dict(pairs, key=value).
func dictFunc(c *call) Value {
	d := NewDict()
	if len(c.pos) > 1 {
		c.in.fail(kindType, "%s expected at most 1 argument, got %d", c.name, len(c.pos))
	}
	for _, from := range c.pos {
		if m, ok := from.(*Dict); ok {
			from = view{m, "items"}
		}
		sc := &scope{}
		pair := &tupleTarget{c.in.line, []target{&nameTarget{"k"}, &nameTarget{"v"}}}
		for _, item := range c.in.list(from) {
			pair.assign(c.in, sc, item)
			c.in.set(d, sc.vars[0].v, sc.vars[1].v)
		}
	}
	for i, key := range c.names {
		c.in.set(d, Literal(key), c.named[i])
	}
	return d
}

// A cycler gives its items in turn.
type cycler struct {
	items []Value
	at    int
}

func cyclerFunc(c *call) Value {
	if len(c.pos) == 0 {
		c.in.fail(kindRuntime, "at least one item has to be provided")
	}
	return &cycler{items: c.pos}
}

func (y *cycler) attr(name string) (Value, bool) {
	switch name {
	case "current":
		return y.items[y.at], true
	case "pos":
		return y.at, true
	case "items":
		return &Tuple{items: y.items}, true
	case "next":
		return &function{"next", func(c *call) Value {
			c.args("")
			v := y.items[y.at]
			y.at = (y.at + 1) % len(y.items)
			return v
		}}, true
	case "reset":
		return &function{"reset", func(c *call) Value {
			c.args("")
			y.at = 0
			return nil
		}}, true
	}
	return nil, false
}

// A joiner gives nothing the first time, and then what stands between.
type joiner struct {
	sep  Value
	used bool
}

func joinerFunc(c *call) Value {
	sep := c.args("sep=")[0]
	if sep == absent {
		sep = Literal(", ")
	}
	return &joiner{sep: sep}
}

func (j *joiner) next() Value {
	if !j.used {
		j.used = true
		return Str{}
	}
	return j.sep
}
