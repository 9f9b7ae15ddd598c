package engine

import (
	"math"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/ops"
)

// altUp is what AltUp has outside the blocks, see [arch.AltUp].
type altUp struct {
	inputEmbed   ops.Matrix
	inputModel   linear
	inputNorm    *norm
	widen, merge []linear // one for each stream but the first
}

// altUpBlock is what it has in a block.
type altUpBlock struct {
	router, predict, correct linear
	routerNorm, correctNorm  *norm
	correctScale             []float32
	laurelL, laurelR         linear
	laurelNorm               *norm
	inputGate, inputProject  linear
	inputNorm                *norm
}

func (b *builder) altUp(a *arch.Model) *altUp {
	m := a.AltUp
	if m == nil || b.err != nil {
		return nil
	}
	u := &altUp{inputEmbed: b.matrix(m.InputEmbed, 0, a.Vocab), inputModel: b.linear(&m.InputModel), inputNorm: b.norm(m.InputNorm, a.Eps)}
	for i := range m.Widen.Experts {
		u.widen, u.merge = append(u.widen, b.expert(&m.Widen, i)), append(u.merge, b.expert(&m.Merge, i))
	}
	return u
}

func (b *builder) altUpBlock(a *arch.Model, l *arch.Block) *altUpBlock {
	u := l.AltUp
	if u == nil || b.err != nil {
		return nil
	}
	return &altUpBlock{
		router: b.linear(&u.Router), predict: b.linear(&u.Predict), correct: b.linear(&u.Correct), routerNorm: b.norm(u.RouterNorm, a.Eps), correctNorm: b.norm(u.CorrectNorm, a.Eps),
		correctScale: b.vector(u.CorrectScale, 0, a.Dim),
		laurelL:      b.linear(&u.LaurelL), laurelR: b.linear(&u.LaurelR), laurelNorm: b.norm(u.LaurelNorm, a.Eps),
		inputGate: b.linear(&u.InputGate), inputProject: b.linear(&u.InputProject), inputNorm: b.norm(u.InputNorm, a.Eps),
	}
}

// streams are the residual streams of a pass beside the first.
type streams struct {
	x         [][]float32 // each [rows, Dim]
	predicted []float32   // of the first stream [rows, Dim]
	inputs    [][]float32 // of each layer [rows, InputWidth]
	a, b      []float32   // scratch
	in        ops.Input
	task      streamTask
	k, v      map[int][]float32 // of the layers that others read, in a pass of whole sequences
}

// through fills dst with what l makes of rows.
func (p *pass) through(l *linear, dst, x []float32) {
	p.pool.Prepare(&p.streams.in, x, l.w.Cols, p.forms(l.forms))
	p.apply(&p.streams.in, output{l: l, y: dst})
}

// widen makes the other streams of the embeddings, and the inputs of the layers.
func (p *pass) widen(x []float32) {
	m, s, a := p.model, &p.streams, p.model.Arch
	u, d, width := m.altUp, a.Dim, a.Spec.AltUp.InputWidth
	all := width * a.Layers
	s.a, s.b = sized(s.a, p.rows*all), sized(s.b, p.rows*all)
	p.through(&u.inputModel, s.a, x)
	scale(s.a, float32(1/math.Sqrt(float64(d))))
	p.normalize(s.a, s.a, u.inputNorm)
	for _, seg := range p.segments {
		for i, id := range seg.tokens {
			u.inputEmbed.Row(row(s.b, seg.row+i, all), int(id))
		}
	}
	scale(s.b, float32(math.Sqrt(float64(width))))
	p.pool.Add(s.a, s.b, all)
	scale(s.a, float32(1/math.Sqrt2))
	s.inputs = sized(s.inputs, a.Layers)
	for l := range s.inputs {
		s.inputs[l] = sized(s.inputs[l], p.rows*width)
		for r := range p.rows {
			copy(row(s.inputs[l], r, width), row(s.a, r, all)[l*width:])
		}
	}
	s.x = sized(s.x, len(u.widen))
	for i := range s.x {
		s.x[i] = sized(s.x[i], len(x))
		p.through(&u.widen[i], s.x[i], x)
		likeRows(s.x[i], x, d)
	}
}

// merge makes x the mean of all streams.
func (p *pass) merge(x []float32) {
	s, u, d := &p.streams, p.model.altUp, p.model.Arch.Dim
	s.predicted = append(s.predicted[:0], x...)
	for i := range s.x {
		s.a = sized(s.a, len(x))
		p.through(&u.merge[i], s.a, s.x[i])
		likeRows(s.a, s.predicted, d)
		p.pool.Add(x, s.a, d)
	}
	scale(x, 1/float32(len(s.x)+1))
}

// likeRows scales each row of x to the length of that of y.
func likeRows(x, y []float32, width int) {
	for r := range len(x) / width {
		v := row(x, r, width)
		if n := ops.SumSquares(v); n > 0 {
			scale(v, float32(math.Sqrt(ops.SumSquares(row(y, r, width))/n)))
		}
	}
}

// modalities fills m, rows of a number for each stream, for rows of z under a norm.
func (p *pass) modalities(u *altUpBlock, f *norm, m, z []float32) {
	s, d := &p.streams, p.model.Arch.Dim
	s.b = sized(s.b, len(z))
	p.normalize(s.b, z, f)
	scale(s.b, 1/float32(d))
	p.through(&u.router, m, s.b)
	for i, v := range m {
		m[i] = float32(math.Tanh(float64(v)))
	}
}

// predict makes the streams, of which x is the first, those that a block predicts.
func (p *pass) predict(b *block, x []float32) {
	s, u, d := &p.streams, b.altUp, p.model.Arch.Dim
	n := len(s.x) + 1
	s.a = sized(s.a, p.rows*(n+n*n))
	m, c := s.a[:p.rows*n], s.a[p.rows*n:]
	p.modalities(u, u.routerNorm, m, x)
	p.through(&u.predict, c, m)
	t := &s.task
	t.first, t.others, t.c, t.width = x, s.x, c, d
	t.scratch = sized(t.scratch, p.pool.Threads()*n*d)
	p.pool.Run((*predicting)(t), p.rows, streamGrain/(n*n*d)+1)
	s.predicted = append(s.predicted[:0], x...)
}

// streamTask is what the tasks on all streams work on.
type streamTask struct {
	first     []float32
	others    [][]float32
	predicted []float32
	c         []float32 // coefficients of each row
	width     int
	scratch   []float32 // of each worker, a row of each stream
}

// streamGrain is how many products a piece of such a task should have.
const streamGrain = 32 << 10

// of returns row r of stream i.
func (t *streamTask) of(i, r int) []float32 {
	if i == 0 {
		return row(t.first, r, t.width)
	}
	return row(t.others[i-1], r, t.width)
}

// predicting adds to each stream the sum of c_ij X_j.
type predicting streamTask

// Do handles rows.
func (t *predicting) Do(worker, lo, hi int) {
	s := (*streamTask)(t)
	n, d := len(t.others)+1, t.width
	next := row(t.scratch, worker, n*d)
	for r := lo; r < hi; r++ {
		c := row(t.c, r, n*n)
		for i := range n {
			y := row(next, i, d)
			copy(y, s.of(i, r))
			for j := range n {
				addWeighted(y, s.of(j, r), c[i*n+j])
			}
		}
		for i := range n {
			copy(s.of(i, r), row(next, i, d))
		}
	}
}

// correcting adds to each stream, of which the first is predicted, (1 + c_i) times what
// the first has come to be more than that.
type correcting streamTask

// Do handles rows.
func (t *correcting) Do(_, lo, hi int) {
	n := len(t.others) + 1
	for r := lo; r < hi; r++ {
		c, x, predicted := row(t.c, r, n), row(t.first, r, t.width), row(t.predicted, r, t.width)
		for i, v := range predicted {
			x[i] -= v
		}
		for j, y := range t.others {
			addWeighted(row(y, r, t.width), x, 1+c[j+1])
		}
		for i, v := range predicted {
			x[i] = x[i]*(1+c[0]) + v
		}
	}
}

// laurel adds to x, to which attention has added, what it has read and the low-rank path
// of that, and divides by the square root of 2.
func (p *pass) laurel(b *block, x []float32) {
	s, u, d, in := &p.streams, b.altUp, p.model.Arch.Dim, &p.in.Input
	s.a, s.b = sized(s.a, p.rows*u.laurelL.w.Rows), sized(s.b, len(x))
	p.apply(in, output{l: &u.laurelL, y: s.a})
	p.through(&u.laurelR, s.b, s.a)
	p.normalize(s.b, s.b, u.laurelNorm)
	for r := range p.rows {
		y := row(s.b, r, d)
		for i, v := range in.Row(r) {
			y[i] += v
		}
	}
	p.pool.Add(x, s.b, d)
	scale(x, float32(1/math.Sqrt2))
}

// correct brings all streams up to what the block has made of the first, x, and adds the
// input of the layer to the others.
func (p *pass) correct(b *block, layer int, x []float32) {
	s, u, d := &p.streams, b.altUp, p.model.Arch.Dim
	n := len(s.x) + 1
	s.a = sized(s.a, p.rows*2*n)
	m, c := s.a[:p.rows*n], s.a[p.rows*n:]
	p.modalities(u, u.correctNorm, m, x)
	p.through(&u.correct, c, m)
	t := &s.task
	t.first, t.others, t.predicted, t.c, t.width = x, s.x, s.predicted, c, d
	p.pool.Run((*correcting)(t), p.rows, streamGrain/(n*d)+1)
	width := u.inputGate.w.Rows
	s.a, s.b = sized(s.a, p.rows*width), sized(s.b, len(x))
	for i, v := range x {
		s.b[i] = v * u.correctScale[i%d]
	}
	p.through(&u.inputGate, s.a, s.b)
	p.pool.Gate(p.model.activation, s.a, s.a, s.inputs[layer])
	p.through(&u.inputProject, s.b, s.a)
	p.normalize(s.b, s.b, u.inputNorm)
	for _, y := range s.x {
		p.pool.Add(y, s.b, d)
	}
}

// sparsify sets each row of x to max(0, x - mean - c*(sample standard deviation)).
func sparsify(x []float32, width int, c float64) {
	for r := range len(x) / width {
		v := row(x, r, width)
		mean, squares := ops.Mean(v), 0.0
		for _, e := range v {
			squares += (float64(e) - mean) * (float64(e) - mean)
		}
		least := float32(mean + c*math.Sqrt(squares/float64(width-1)))
		for i, e := range v {
			v[i] = max(0, e-least)
		}
	}
}

// keepShared keeps the keys and values of whole sequences that other layers read.
func (p *pass) keepShared(layer int, k, v []float32) {
	if own := p.model.Arch.Spec.OwnKV; own == 0 || layer < own-2 {
		return
	}
	s := &p.streams
	if s.k == nil {
		s.k, s.v = map[int][]float32{}, map[int][]float32{}
	}
	s.k[layer], s.v[layer] = append(s.k[layer][:0], k...), append(s.v[layer][:0], v...)
}

// attendShared sets q to what it reads of the keys and values of another layer.
func (p *pass) attendShared(b *block, q []float32) {
	if p.lengths != nil {
		p.pool.SelfAttention(q, q, p.streams.k[b.KVFrom], p.streams.v[b.KVFrom], &b.attention, p.lengths)
		return
	}
	width := b.Heads * p.model.Arch.HeadDim
	for _, s := range p.segments {
		rows := q[s.row*width:][:len(s.tokens)*width]
		p.pool.Attention(rows, rows, s.session.kv[b.KVFrom], &b.attention, s.pos, len(s.tokens))
	}
}
