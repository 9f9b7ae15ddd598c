package geometry

import (
	"fmt"
	"math"
)

// Model says whose vectors are measured, for the head of a report.
type Model struct {
	Name         string  `json:"name"`
	Architecture string  `json:"architecture"`
	Dim          int     `json:"d"`
	Layers       int     `json:"layers"`
	Parameters   int64   `json:"parameters"`
	Norm         string  `json:"norm"` // what its norms are, such as layernorm
	Eps          float64 `json:"eps"`
	Quantization string  `json:"quantization,omitempty"` // of the weights, such as Q8_0
}

// Options are the collector's. The zero value keeps ten extreme vectors a
// site and checks the identities at every 256th position.
type Options struct {
	Top        int // extreme vectors kept per site; 0 means 10, negative none
	CheckEvery int // positions between two checks; 0 means 256, negative none

	// For, when set, spreads the vectors of a batch: it calls body for
	// ranges that cover [0, n), from as many goroutines as it likes, and
	// returns when all are done. The figures do not depend on how it splits.
	For func(n int, body func(lo, hi int))
}

// Collector streams vectors into statistics. One goroutine at a time may use
// it; several collectors may share the work and merge their states.
type Collector struct {
	opt     Options
	probes  []*probe
	state   *State
	scratch []float64
}

// NewCollector prepares to measure the sites of a model. The sites' gains and
// biases are copied.
func NewCollector(m Model, sites []Site, opt Options) (*Collector, error) {
	if opt.Top == 0 {
		opt.Top = 10
	}
	if opt.CheckEvery == 0 {
		opt.CheckEvery = 256
	}
	opt.Top = max(opt.Top, 0)
	if opt.For == nil {
		opt.For = func(n int, body func(lo, hi int)) { body(0, n) }
	}
	c := &Collector{opt: opt, state: &State{Model: m, top: opt.Top}}
	for _, s := range sites {
		p, err := newProbe(s)
		if err != nil {
			return nil, err
		}
		c.probes = append(c.probes, p)
		c.state.sites = append(c.state.sites, &siteState{Site: p.Site, First: newCell(), Rest: newCell()})
	}
	return c, nil
}

// Batch is a run of consecutive tokens at one site.
type Batch struct {
	Site   int     // index into the sites given to NewCollector
	Block  int     // of a long text
	Seq    int     // which text window of the block the tokens belong to
	Pos    int     // position of the first token in its window, from 0
	Tokens []int32 // the token ids

	// In and Out hold what the norm read and wrote, Heads*Dim values a
	// token, in rows. They may not overlap: a norm that works in place has
	// to keep a copy of its input.
	In, Out []float32

	// Swapped, which may be nil, is what stands in the place of Out when the
	// norm is exchanged for the other: the relative difference is the measured
	// swap error beside the predicted one.
	Swapped []float32
}

// Add measures a batch. It panics, with both numbers, when the lengths of In
// or Out (or Swapped) do not match the tokens, and when there is no such site.
func (c *Collector) Add(b Batch) {
	p := c.probes[b.Site]
	n := len(b.Tokens) * p.Heads
	for _, v := range []struct {
		name   string
		values []float32
	}{{"In", b.In}, {"Out", b.Out}, {"Swapped", b.Swapped}} {
		if len(v.values) != n*p.Dim && !(v.name == "Swapped" && v.values == nil) {
			panic(fmt.Sprintf("geometry: site %s: %s has %d values, %d vectors of %d need %d", p.Name, v.name, len(v.values), n, p.Dim, n*p.Dim))
		}
	}
	if len(c.scratch) < n*numQ {
		c.scratch = make([]float64, n*numQ)
	}
	q := c.scratch[:n*numQ]
	c.opt.For(n, func(lo, hi int) { c.measure(p, q, n, lo, hi, &b) })

	s := c.state.sites[b.Site]
	first := 0
	if b.Pos == 0 && n > 0 {
		first = p.Heads
		s.First.add(q, n, 0, first)
	}
	if first < n {
		s.Rest.add(q, n, first, n)
	}
	norms, angles := q[:n], q[n:2*n]
	for i, norm := range norms {
		if !(norm > 0) {
			continue
		}
		t := i / p.Heads
		e := Extreme{Token: b.Tokens[t], Block: b.Block, Seq: b.Seq, Pos: b.Pos + t, Head: i % p.Heads, Norm: norm, Angle: angles[i]}
		s.TopAngle = top(s.TopAngle, c.opt.Top, e, byAngle)
		s.TopNorm = top(s.TopNorm, c.opt.Top, e, byNorm)
	}
}

// measure fills the quantities of the vectors lo to hi.
func (c *Collector) measure(p *probe, q []float64, n, lo, hi int, b *Batch) {
	for i := lo; i < hi; i++ {
		x, out := b.In[i*p.Dim:(i+1)*p.Dim], b.Out[i*p.Dim:(i+1)*p.Dim]
		g := &p.rows[i%p.Heads%len(p.rows)]
		p.measure(q[i:], n, x, out, g)
		q[qMeasured*n+i] = math.NaN()
		if b.Swapped != nil {
			q[qMeasured*n+i] = difference(b.Swapped[i*p.Dim:(i+1)*p.Dim], out)
		}
		checks := q[qChecks*n+i:]
		finite := q[i] == q[i]
		if finite && c.opt.CheckEvery > 0 && (b.Pos+i/p.Heads)%c.opt.CheckEvery == 0 {
			p.check(checks, n, x, out, g)
			continue
		}
		checks[0] = math.NaN()
	}
}

// State returns the statistics so far. It is the collector's own: it changes
// with the next Add.
func (c *Collector) State() *State { return c.state }
