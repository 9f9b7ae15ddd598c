package bench

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/normswap/normswap/ops"
)

// A Profile adds up what a model's operations took.
type Profile struct {
	Runs    int           // that were observed
	Elapsed time.Duration // of them
	ops     map[string]*Operation
}

// An Operation is one kind of operation in a profile.
type Operation struct {
	ops.Span // sums
	Calls    int
}

// Add counts a span.
func (p *Profile) Add(s ops.Span) {
	if p.ops == nil {
		p.ops = map[string]*Operation{}
	}
	o := p.ops[s.Op]
	if o == nil {
		o = &Operation{Span: ops.Span{Op: s.Op}}
		p.ops[s.Op] = o
	}
	o.Calls++
	o.Time += s.Time
	o.Wait += s.Wait
	o.Bytes += s.Bytes
	o.Flops += s.Flops
}

// Operations returns the operations, the longest first, and last what is
// left of the time: the work between the operations, on one thread.
func (p *Profile) Operations() []Operation {
	var all []Operation
	rest := p.Elapsed
	for o := range maps.Values(p.ops) {
		all = append(all, *o)
		rest -= o.Time
	}
	slices.SortFunc(all, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Op, b.Op))
	})
	return append(all, Operation{Span: ops.Span{Op: "between the operations", Time: max(0, rest)}})
}
