package llamacpp

import (
	"context"
	"fmt"
	"unsafe"
)

// A Hook stands between llama.cpp's norms and what reads them. A norm is what
// comes before gain and bias here: those are operations of their own in its
// graph.
type Hook struct {
	// Replace, if not nil, returns what takes the place of a norm; nil leaves it
	// as it is.
	Replace func(*Site) Standardize
	// Tap, if not nil, is called for every norm in the order of evaluation. What
	// it is given is valid during the call.
	Tap func(Vectors)
	// TapSites limits the tap to sites it accepts; nil accepts all.
	TapSites func(*Site) bool
}

// Standardize writes to dst what a norm makes of the vector x of a position,
// before gain and bias. Neither slice may be kept.
type Standardize func(dst, x []float32, pos int)

// Vectors are what a tap sees of a norm.
type Vectors struct {
	Site   *Site
	Tokens []int32 // of the batch
	Pos    int     // position of the first of them
	// In is what the norm reads, Std what it makes of it, after a replacement if
	// there is one: for each token Groups vectors of Width.
	In, Std []float32
}

// Out returns gain*std + bias, as the graph computes it behind the norm, in dst
// if it has the room.
func (v *Vectors) Out(dst []float32) []float32 {
	dst = append(dst[:0], v.Std...)
	width := v.Site.Width * v.Site.Groups
	for i := range dst {
		if g := v.Site.Gain; g != nil {
			dst[i] *= g[i%width%len(g)]
		}
		if b := v.Site.Bias; b != nil {
			dst[i] += b[i%width%len(b)]
		}
	}
	return dst
}

// A run is one evaluation.
type run struct {
	ctx    context.Context
	tokens []int32
	pos    int
	learn  *learner // nil but for the first one

	replace []Standardize // for each site
	tap     []bool
	look    func(Vectors)

	node, norms int                 // seen so far
	early       map[int]([]float32) // by site: what a norm reads that overwrites it
	in, std     []float32
	err         error
}

func (r *run) prepare(m *Model, h *Hook) {
	r.replace, r.tap, r.early = make([]Standardize, len(m.sites)), make([]bool, len(m.sites)), map[int][]float32{}
	if h == nil {
		return
	}
	r.look = h.Tap
	for i, s := range m.sites {
		if h.Replace != nil {
			r.replace[i] = h.Replace(s)
		}
		r.tap[i] = h.Tap != nil && (h.TapSites == nil || h.TapSites(s))
	}
}

func (r *run) wants(site int) bool { return r.tap[site] || r.replace[site] != nil }

// node is cb_eval: it is asked for each node of the graph in turn whether it is
// wanted, and shown those that are once they are computed, before any later one.
// An error ends what it does; the evaluation runs to its end and is discarded.
func (m *Model) node(t *tensor, ask bool) (want bool) {
	r := m.run
	if r == nil || r.err != nil {
		return false
	}
	if r.learn != nil {
		if ask {
			r.err = r.learn.see(t)
		}
		return false
	}
	defer func() {
		if p := recover(); p != nil { // a panic must not cross C's frames
			r.err, want = fmt.Errorf("the hook failed: %v", p), false
		}
	}()
	if ask {
		r.node++
		for _, site := range m.graph.overwrites[r.node-1] {
			want = want || r.wants(site)
		}
		if m.lib.isNorm(t) {
			if r.norms++; r.norms > len(m.sites) {
				r.err = fmt.Errorf("the graph of %d tokens has more norms than the %d of the first ones", len(r.tokens), len(m.sites))
				return false
			}
			want = want || r.wants(r.norms-1)
		}
		return want
	}
	if r.err = r.ctx.Err(); r.err != nil {
		return false
	}
	if m.lib.isNorm(t) && r.wants(r.norms-1) {
		r.err = m.change(t, r.norms-1)
	}
	for _, site := range m.graph.overwrites[r.node-1] {
		if r.err == nil && r.wants(site) {
			r.early[site], r.err = m.lib.read(r.early[site][:0], t)
		}
	}
	return r.err == nil
}

func (l *Library) isNorm(t *tensor) bool { return t.op == l.op.norm || t.op == l.op.rmsNorm }

// change puts a replacement into a norm's node, and shows what it read and made
// to the tap.
func (m *Model) change(t *tensor, site int) (err error) {
	r, s := m.run, m.sites[site]
	if (t.op == m.lib.op.norm) != s.Center || int(t.ne[0]) != s.Width || t.elements() != len(r.tokens)*s.Width*s.Groups {
		return fmt.Errorf("the node %s of %d elements is not the norm %s", t, t.elements(), s.Name)
	}
	in := r.early[site]
	if m.graph.inPlace[site] {
		if len(in) != t.elements() {
			return fmt.Errorf("what %s reads is not where it was in the first graph", s.Name)
		}
	} else {
		if t.src[0].data == t.data {
			return fmt.Errorf("what %s reads is overwritten, and was not in the first graph", s.Name)
		}
		if r.in, err = m.lib.read(r.in[:0], t.src[0]); err != nil {
			return err
		}
		in = r.in
	}
	if f := r.replace[site]; f != nil {
		r.std = append(r.std[:0], in...)
		for i := 0; i < len(in); i += s.Width {
			f(r.std[i:i+s.Width], in[i:i+s.Width], r.pos+i/(s.Width*s.Groups))
		}
		m.lib.tensorSet(t, unsafe.Pointer(&r.std[0]), 0, uintptr(4*len(r.std)))
	} else if r.std, err = m.lib.read(r.std[:0], t); err != nil {
		return err
	}
	if r.tap[site] {
		r.look(Vectors{s, r.tokens, r.pos, in, r.std})
	}
	return nil
}
