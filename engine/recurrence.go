package engine

import (
	"math"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/ops"
)

// recurrence is what a layer has in place of attention, see [arch.Recurrence].
type recurrence struct {
	kind                   arch.Recurrence
	in, scanIn, step       linear
	conv                   []float32 // [taps, inner]
	a, d                   []float32 // of each head
	bNorm, cNorm, stepNorm *norm
	taps, inner            int
	scan                   int // numbers of the state for each element of the inner vector
}

func (b *builder) recurrence(a *arch.Model, l *arch.Block) *recurrence {
	if !l.Recurrent() || b.err != nil {
		return nil
	}
	r := &recurrence{
		kind: a.Spec.Recurrence, taps: a.ConvTaps, inner: a.Inner, scan: a.ScanState,
		in: b.linear(&l.In), scanIn: b.linear(&l.ScanIn), step: b.linear(&l.Step),
		bNorm: b.norm(l.BNorm, a.Eps), cNorm: b.norm(l.CNorm, a.Eps), stepNorm: b.norm(l.StepNorm, a.Eps),
		a: b.vector(l.A, 0, a.ScanHeads), d: b.vector(l.D, 0, a.ScanHeads),
	}
	stored := b.vector(l.Conv, 0, a.ConvTaps*a.Inner)
	r.conv = make([]float32, len(stored))
	for i, v := range stored {
		r.conv[i%r.taps*r.inner+i/r.taps] = v
	}
	return r
}

// size is the number of elements of the state: what the convolution saw last, then that
// of the scan.
func (r *recurrence) size() int { return (r.taps - 1 + r.scan) * r.inner }

// work is how many numbers a row takes.
func (r *recurrence) work() int {
	return r.in.w.Rows + 2*r.inner + 2*r.scanIn.w.Rows + r.step.w.Rows
}

// recur returns what the recurrence of a layer makes of its norm, for the matrix that
// writes it to the stream, and keeps its states.
func (p *pass) recur(b *block, layer int, in *ops.Input) *ops.Input {
	r, n := b.recurrence, p.rows
	work := p.work
	take := func(width int) []float32 {
		x := work[:n*width]
		work = work[n*width:]
		return x
	}
	made, x, y := take(r.in.w.Rows), take(r.inner), take(r.inner)
	p.apply(in, output{l: &r.in, y: made})
	t := &p.recurring
	t.r, t.layer, t.segments, t.x, t.y = r, layer, p.segments, x, y
	if r.kind == arch.ShortConv {
		for i := range n {
			m, x := row(made, i, 3*r.inner), row(x, i, r.inner)
			for j := range x {
				x[j] = m[j] * m[2*r.inner+j]
			}
		}
		p.pool.Run((*convolving)(t), r.inner, convolveGrain/(n*r.taps)+1)
		for i := range n {
			c, y := row(made, i, 3*r.inner)[r.inner:], row(y, i, r.inner)
			for j := range y {
				y[j] *= c[j]
			}
		}
	} else {
		p.scan(b, made, x, y, take)
	}
	t.r, t.segments = nil, nil
	p.pool.Prepare(&p.out, y, r.inner, p.forms(b.o.forms))
	return &p.out
}

// scan is the part of Mamba behind its first matrix: it sets y to what its last one reads.
func (p *pass) scan(b *block, made, x, y []float32, take func(width int) []float32) {
	r, n, t := b.recurrence, p.rows, &p.recurring
	heads := len(r.a)
	size := r.inner / heads
	for i := range n * heads { // (z, x) head by head
		copy(row(x, i, size), row(made, i, 2*size)[size:])
	}
	p.pool.Run((*convolving)(t), r.inner, convolveGrain/(n*r.taps)+1)
	p.pool.Activate(ops.SiLU, x, y) // which the scan reads
	parts := take(r.scanIn.w.Rows)
	p.pool.Prepare(&p.out, x, r.inner, p.forms(r.scanIn.forms))
	p.apply(&p.out, output{l: &r.scanIn, y: parts})
	t.b, t.c, t.steps = take(r.scan), take(r.scan), take(heads)
	step := take(r.stepNorm.site.Width)
	for i := range n {
		part := row(parts, i, r.scanIn.w.Rows)
		copy(row(t.b, i, r.scan), part)
		copy(row(t.c, i, r.scan), part[r.scan:])
		copy(row(step, i, len(part)-2*r.scan), part[2*r.scan:])
	}
	p.normalize(t.b, t.b, r.bNorm)
	p.normalize(t.c, t.c, r.cNorm)
	p.normalize(step, step, r.stepNorm)
	p.pool.Prepare(&p.out, step, r.stepNorm.site.Width, p.forms(r.step.forms))
	p.apply(&p.out, output{l: &r.step, y: t.steps})
	p.pool.Run((*scanning)(t), heads, 1)
	for i := range n * heads {
		z, y := row(made, i, 2*size)[:size], row(y, i, size)
		p.pool.Gate(ops.SiLU, y, z, y)
	}
}

// recurring is what the tasks of a recurrence work on: rows of all segments.
type recurring struct {
	r        *recurrence
	layer    int
	segments []segment
	x, y     []float32 // [rows, inner]
	b, c     []float32 // [rows, scan]
	steps    []float32 // [rows, heads]
}

// convolveGrain is how many products a piece of a convolution should have.
const convolveGrain = 32 << 10

// convolving sets y to the convolution of x.
type convolving recurring

// Do handles channels.
func (t *convolving) Do(_, lo, hi int) {
	r := t.r
	for i := range t.segments {
		s := &t.segments[i]
		n, before, after := len(s.tokens), s.from.of(t.layer), s.to.of(t.layer)
		at := func(pos int) []float32 { // what the convolution reads at a row, or before the first
			switch {
			case pos >= 0:
				return row(t.x, s.row+pos, r.inner)[lo:hi]
			case before != nil:
				return row(before, pos+r.taps-1, r.inner)[lo:hi]
			}
			return nil // zeros
		}
		for k := range n {
			y := row(t.y, s.row+k, r.inner)[lo:hi]
			clear(y)
			for j := range r.taps {
				w := row(r.conv, j, r.inner)[lo:hi]
				for c, v := range at(k + 1 - r.taps + j) {
					y[c] += w[c] * v
				}
			}
		}
		for j := range r.taps - 1 {
			if after == nil {
				break
			}
			kept := row(after, j, r.inner)[lo:hi]
			if v := at(n + 1 - r.taps + j); v != nil {
				copy(kept, v)
			} else {
				clear(kept)
			}
		}
	}
}

// scanning sets y to what the states give for x, and brings them up to date.
type scanning recurring

// Do handles heads.
func (t *scanning) Do(_, lo, hi int) {
	r := t.r
	heads, size := len(r.a), r.inner/len(r.a)
	conv := (r.taps - 1) * r.inner
	for i := range t.segments {
		s := &t.segments[i]
		before, state := s.from.of(t.layer), s.to.of(t.layer)
		if state == nil {
			state = make([]float32, r.size()) // of a sequence, which nothing follows
		}
		for h := lo; h < hi; h++ {
			of := state[conv:][h*size*r.scan:][:size*r.scan]
			if before != nil {
				copy(of, before[conv:][h*size*r.scan:])
			} else {
				clear(of)
			}
			for k := s.row; k < s.row+len(s.tokens); k++ {
				step := softplus(float64(t.steps[k*heads+h]))
				decay := float32(math.Exp(step * float64(r.a[h])))
				b, c := row(t.b, k, r.scan), row(t.c, k, r.scan)
				x, y := row(t.x, k*heads+h, size), row(t.y, k*heads+h, size)
				for e, v := range x {
					one, add := row(of, e, r.scan), v*float32(step)
					var sum float32
					for j, old := range one {
						now := old*decay + b[j]*add
						one[j] = now
						sum += now * c[j]
					}
					y[e] = sum + r.d[h]*v
				}
			}
		}
	}
}

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
