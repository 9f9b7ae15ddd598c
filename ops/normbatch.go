package ops

import (
	"fmt"
	"math"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// NormBatch fills b with the norms of the rows of x, b.Cols wide, in the forms
// that products with the readers take, which it makes while a row is in the
// cache. b gets as many rows as x. If all readers take another form than the
// rows themselves, these are undefined afterwards, and a product with a matrix
// that reads them panics.
//
// If moreover n is an RMSNorm without gain and bias and the readers take
// quantised activations, nothing is normalised: x itself is quantised, which a
// common factor does not change but for the scales, and these are multiplied by
// the norm's one scalar (Graef et al., FlashNorm, arXiv 2407.09577).
func (p *Pool) NormBatch(b *Batch, x []float32, n *Norm, readers ...*Matrix) {
	checkRows("x", len(x), b.cols)
	n.check(b.cols)
	b.Resize(len(x) / b.cols)
	want, bare := forms(0), len(readers) > 0
	for _, w := range readers {
		f := b.formsFor(w.Type)
		want |= f
		bare = bare && f != 0 && !(b.Keep && f&quantised == 0)
	}
	if b.Keep && want&quantised != 0 {
		want |= codes
	}
	b.have, b.bare = want, bare
	b.reserve(want)
	b.norm = normBatch{p, b, x, n, want, bare && want&^quantised == 0 && !n.Center && n.Gain == nil && n.Bias == nil}
	p.Run(&b.norm, b.panels(), max(1, rowGrain/(2*asm.PanelRows*b.cols)))
	b.norm = normBatch{}
}

// checkRead panics if products with weights of type t read what b has not.
func (b *Batch) checkRead(t quant.Type) { b.checkHas(t, b.formsFor(t)) }

// checkHas panics if what reads the forms f, 0 for the rows themselves, for
// weights of type t cannot have them.
func (b *Batch) checkHas(t quant.Type, f forms) {
	if b.bare && (f == 0 || f&^b.have != 0) {
		panic(fmt.Sprintf("ops: weights of type %v read rows in a form that the norm before was not told of", t))
	}
}

// normBatch is the task of NormBatch, 16 rows an item.
type normBatch struct {
	pool   *Pool
	batch  *Batch
	x      []float32
	norm   *Norm
	want   forms
	scalar bool // the norm is left to the scales
}

func (t *normBatch) Do(worker, lo, hi int) {
	b, s := t.batch, &t.pool.scratch[worker]
	for i := lo; i < hi; i++ {
		from, to := i*asm.PanelRows*b.cols, min((i+1)*asm.PanelRows, b.rows)*b.cols
		x, code := t.x[from:to], b.codesAt(i, s, t.want)
		if t.scalar {
			t.deferred(code, x)
			b.arrange(i, t.want, code, x)
			continue
		}
		y := b.data[from:to]
		if b.bare { // rows that nobody reads stay in the cache
			s.rows16 = grow(s.rows16, asm.PanelRows*b.cols)
			y = s.rows16[:to-from]
		}
		t.norm.apply(y, x, b.cols)
		if t.want&quantised != 0 {
			asm.Quantize(code, y)
		}
		b.arrange(i, t.want, code, y)
	}
}

// deferred quantises rows and multiplies their scales by their norms' scalars.
func (t *normBatch) deferred(code asm.Q8, rows []float32) {
	cols := t.batch.cols
	groups := cols / asm.Group
	asm.Quantize(code, rows)
	for r := range len(rows) / cols {
		x, a := row(rows, r, cols), code.Groups(r*groups, (r+1)*groups)
		s := float32(1 / math.Sqrt(asm.Squares(x)/float64(cols)+float64(t.norm.Eps)))
		asm.Scale(a.Scale, s)
		asm.Scale(a.ScaledSum, s)
	}
}

func (t *normBatch) describe(s *Span, _ int) {
	kind := "RMSNorm"
	if t.norm.Center {
		kind = "LayerNorm"
	}
	s.Op = fmt.Sprintf("%s %d into batch", kind, t.batch.cols)
	s.Bytes = 8 * len(t.x)
}
