package jinja

import (
	"context"
	"fmt"
	"time"
)

// interp runs one program.
type interp struct {
	ctx      context.Context
	template *Template
	root     *scope // of the program's own variables
	now      time.Time
	out      buffer

	line                int // of the node that may fail next
	steps, chars, depth int
	asked               int // steps when ctx was last asked
}

// A scope holds the variables of one block; names that it lacks are its
// parent's.
type scope struct {
	vars   []variable
	index  map[string]int // of vars, once there are many
	parent *scope
}

type variable struct {
	name string
	v    Value
}

// many variables are looked up by a map.
const many = 8

func (sc *scope) set(name string, v Value) {
	if i := sc.find(name); i >= 0 {
		sc.vars[i].v = v
		return
	}
	sc.vars = append(sc.vars, variable{name, v})
	switch {
	case sc.index != nil:
		sc.index[name] = len(sc.vars) - 1
	case len(sc.vars) > many:
		sc.index = make(map[string]int)
		for i, b := range sc.vars {
			sc.index[b.name] = i
		}
	}
}

// find is where a variable of this scope stands, or -1.
func (sc *scope) find(name string) int {
	if sc.index != nil {
		if i, ok := sc.index[name]; ok {
			return i
		}
		return -1
	}
	for i := range sc.vars {
		if sc.vars[i].name == name {
			return i
		}
	}
	return -1
}

func (in *interp) fail(kind, format string, args ...any) { failAt(in.line, kind, format, args...) }

func (in *interp) failUndefined(u *undefined) { in.fail(u.kind, "%s", u.msg) }

func (in *interp) limit(format string, args ...any) {
	in.fail(kindLimit, "the template makes %s", fmt.Sprintf(format, args...))
}

// step counts n nodes.
func (in *interp) step(n int) {
	if in.steps += n; in.steps > MaxSteps {
		in.limit("more than %d steps", MaxSteps)
	}
	if in.steps-in.asked > 1000 {
		in.asked = in.steps
		if err := in.ctx.Err(); err != nil {
			panic(raised{err})
		}
	}
}

// work counts an operation on n characters that makes no new ones.
func (in *interp) work(n int) { in.step(n/16 + 1) }

// alloc counts n new characters.
func (in *interp) alloc(n int) {
	in.work(n)
	if in.chars += n; in.chars > MaxChars {
		in.limit("strings and lists of more than %d characters", MaxChars)
	}
}

// itemChars is how many characters take the memory of an item of a list.
const itemChars = 16

// items counts n new items of lists or dictionaries.
func (in *interp) items(n int) { in.alloc(n * itemChars) }

// checkText bounds the length of a string.
func (in *interp) checkText(n int) {
	if n > MaxText {
		in.limit("a text of more than %d characters", MaxText)
	}
}

// enter counts a level of nesting, which leave ends.
func (in *interp) enter() {
	if in.depth++; in.depth > MaxDepth {
		in.fail(kindLimit, "the template nests deeper than %d levels", MaxDepth)
	}
}

func (in *interp) leave() { in.depth-- }

// capture returns the text that f writes.
func (in *interp) capture(f func()) Str {
	outer := in.out
	in.out = buffer{in: in}
	f()
	text := in.out.str()
	in.out = outer
	return text
}
