package engine

import (
	"context"
	"math"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/ops"
)

// A pass takes rows, tokens of one or more sessions, through the blocks at
// once. It owns the memory of what lies between the embedding and the logits, so
// that a session is no more than its timeline; a model keeps the passes that
// are not in use. What a row computes does not depend on the rows beside it.
type pass struct {
	model *Model
	pool  *ops.Pool // the model's, with the context of the call in progress
	ctx   context.Context

	segments  []segment
	rows      int            // of all segments
	positions []int          // of the rows in their timelines
	timelines []ops.Timeline // of the segments, in a layer
	lengths   []int          // of the segments, which are whole sequences; nil: rows of sessions
	way       ops.Forms      // in which float products add up: ops.Tiled or ops.Apart

	x            []float32 // residual stream [rows, Dim]
	in           input     // what a branch reads
	ffnIn        input     // what the FFN reads, where both branches read norms of the same x
	out          ops.Input // what the matrix that writes the stream reads
	work         []float32 // what one branch computes [rows, widths.work]
	branch       []float32 // what a branch writes, where that is not added at once or somebody looks at it [rows, Dim]
	before       []float32 // the input of a block, where that is added twice [rows, Dim]
	means        []float32 // what centers the outputs of an apply [linears, rows]
	standardized []float32 // what a tap sees before gain and bias
	products     []ops.Product
	rotations    rotations
	experts      mixture
	recurring    recurring
	streams      streams
}

// A segment is rows of one session, consecutive tokens of its timeline, or a
// whole sequence.
type segment struct {
	session *Session // nil: a whole sequence
	tap     *Tap     // or nil
	tokens  []int32
	pos     int // position of the first token
	row     int // its row in the pass

	from, to *states // of recurrent layers, see Session.begin; nil: none
}

// input is the input of products, with room for rows that ops did not norm.
type input struct {
	ops.Input
	rows []float32
}

// rotations hold the RoPE factors of each row, for global and windowed layers.
type rotations struct{ global, window []float32 }

// begin takes rows into the pass.
func (p *pass) begin(rows []segment) {
	m := p.model
	p.segments, p.positions, p.lengths, p.rows = p.segments[:0], p.positions[:0], nil, 0
	for _, s := range rows {
		s.row = p.rows
		p.rows += len(s.tokens)
		p.segments = append(p.segments, s)
		for i := range s.tokens {
			p.positions = append(p.positions, s.pos+i)
		}
		if s.session == nil {
			p.lengths = append(p.lengths, len(s.tokens))
		}
	}
	if m.stateSize > 0 && p.lengths == nil {
		for i := range p.segments {
			p.segments[i].session.begin(&p.segments[i], p.way)
		}
	}
	p.work = sized(p.work, p.rows*m.widths.work)
	if m.rope == nil {
		return
	}
	global, window := m.rope.Width(), m.windowRope.Width()
	p.rotations.global = sized(p.rotations.global, p.rows*global)
	p.rotations.window = sized(p.rotations.window, p.rows*window)
	for _, s := range p.segments {
		rope, end := m.rope, s.row+len(s.tokens)
		if m.longRope != nil && s.room() > m.Arch.RoPE.OrigContext {
			rope = m.longRope
		}
		rope.Tables(p.rotations.global[s.row*global:end*global], s.pos)
		m.windowRope.Tables(p.rotations.window[s.row*window:end*window], s.pos)
	}
}

// end ends a pass: the states of its sessions are kept if it was not cut short.
func (p *pass) end() error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	for i := range p.segments {
		if s := &p.segments[i]; s.to != nil {
			s.session.keep(s)
		}
	}
	return nil
}

// room is the number of positions of the timeline.
func (s *segment) room() int {
	if s.session == nil {
		return len(s.tokens)
	}
	return s.session.max
}

// forms are those of an input of products. Products with floats add up in one
// way, so that a row gives the same whatever is beside it; with quantized weights
// both ways give the same, and the number of rows chooses the faster.
func (p *pass) forms(f ops.Forms) ops.Forms {
	if f&(ops.Floats|ops.Halves) != 0 {
		f |= p.way
	}
	return f
}

// norm returns the norm f of the rows of x, or these themselves where f is nil,
// in the forms that its readers take.
func (p *pass) norm(in *input, x []float32, f *norm) *ops.Input {
	d := p.model.Arch.Dim
	if f == nil {
		p.pool.Prepare(&in.Input, x, d, p.forms(p.model.bareForms))
		return &in.Input
	}
	if built, ok := f.parts[0].(*ops.Norm); ok && !p.tapped(f) {
		p.pool.PrepareNorm(&in.Input, x, d, built, p.forms(f.forms))
		return &in.Input
	}
	in.rows = sized(in.rows, len(x))
	p.normalize(in.rows, x, f)
	p.pool.Prepare(&in.Input, in.rows, d, p.forms(f.forms))
	return &in.Input
}

// normalize fills dst with the norm f of the rows of x, each of which has
// f.site.Groups vectors, and shows them to the taps.
func (p *pass) normalize(dst, x []float32, f *norm) {
	if !p.tapped(f) {
		f.apply(p.pool, dst, x, p.positions)
		return
	}
	p.show(f, In, x)
	p.showStandardized(f, x)
	f.apply(p.pool, dst, x, p.positions)
	p.show(f, Out, dst)
}

// output is what a linear makes of an input: y = W x + b, or, with add, y +=.
type output struct {
	l   *linear
	y   []float32 // [rows, l.w.Rows]
	add bool
}

// apply computes the outputs of linears that read the same input, with what
// centers them subtracted.
func (p *pass) apply(in *ops.Input, outputs ...output) {
	n := in.Count()
	p.products, p.means = p.products[:0], sized(p.means, n*len(outputs))
	for i, o := range outputs {
		product := ops.Product{Dst: o.y, W: &o.l.w, Bias: o.l.b, Add: o.add, Columns: o.l.columns}
		if len(o.l.means) == 1 {
			product.Mean = row(p.means, i, n)
			p.pool.ColumnDot(product.Mean, in, o.l.means[0], o.l.w.Type)
		}
		p.products = append(p.products, product)
	}
	p.pool.MatMul(in, p.products...)
	for _, o := range outputs {
		if len(o.l.means) > 1 {
			p.centerGroups(o, in)
		}
	}
}

// centerGroups subtracts from each group of outputs, such as a head, its mean.
func (p *pass) centerGroups(o output, in *ops.Input) {
	means, rows := p.means[:in.Count()], o.l.w.Rows
	size := rows / len(o.l.means)
	for g, c := range o.l.means {
		p.pool.ColumnDot(means, in, c, o.l.w.Type)
		for r, mean := range means {
			group := row(o.y, r, rows)[g*size:][:size]
			for i := range group {
				group[i] -= mean
			}
		}
	}
}

// add returns x plus what l makes of in, or plus the norm post of that, times
// the scale of the residual stream. It adds in place.
func (p *pass) add(x []float32, l *linear, in *ops.Input, post *norm) []float32 {
	residual := p.model.Arch.ResidualScale
	if post == nil && residual == 1 && !p.watched() {
		p.apply(in, output{l: l, y: x, add: true})
		return x
	}
	p.branch = sized(p.branch, len(x))
	p.apply(in, output{l: l, y: p.branch})
	if post != nil {
		p.normalize(p.branch, p.branch, post)
	}
	if residual != 1 {
		scale(p.branch, residual)
	}
	p.pool.Add(x, p.branch, p.model.Arch.Dim)
	return x
}

// heat multiplies queries, rows of the given width, by a factor that grows with
// their position.
func (p *pass) heat(q []float32, width int) {
	a := p.model.Arch
	for _, s := range p.segments {
		for i := range s.tokens {
			turns := (s.pos + i) / a.RoPE.OrigContext
			scale(row(q, s.row+i, width), float32(1+float64(a.Temperature)*math.Log(float64(turns+1))))
		}
	}
}

var activations = [...]ops.Activation{arch.GELU: ops.GELU, arch.SiLU: ops.SiLU, arch.ReLU2: ops.ReLU2, arch.GELUErf: ops.GELUErf, arch.ReLU: ops.ReLU}

// sized returns x with n elements, whose values are undefined.
func sized[T any](x []T, n int) []T {
	if cap(x) < n {
		return make([]T, n)
	}
	return x[:n]
}

// row is row r of x, for rows of the given width.
func row[T any](x []T, r, width int) []T { return x[r*width : (r+1)*width : (r+1)*width] }

// divideRows divides each row of x by scales (Lin et al. 2023, AWQ).
func divideRows(x, scales []float32) {
	for i := range len(x) / len(scales) {
		for j, c := range scales {
			x[i*len(scales)+j] /= c
		}
	}
}
