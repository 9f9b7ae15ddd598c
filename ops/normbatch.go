package ops

import (
	"fmt"
	"math"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// NormBatch fills b with the norms of the rows of x, b.Cols wide, and makes,
// while a row is in the cache, the forms of it that products with the readers
// take. b gets as many rows as x.
//
// If n is an RMSNorm without gain and bias and all readers take quantised
// activations, nothing is normalised: x itself is quantised, which a common
// factor does not change but for the scales, and these are multiplied by the
// norm's one scalar (Graef et al., FlashNorm, arXiv 2407.09577). The rows of b
// are then undefined, and a product with a matrix that reads them panics.
func (p *Pool) NormBatch(b *Batch, x []float32, n *Norm, readers ...*Matrix) {
	checkRows("x", len(x), b.cols)
	n.check(b.cols)
	b.Resize(len(x) / b.cols)
	want, bare := forms(0), len(readers) > 0 && !n.Center && n.Gain == nil && n.Bias == nil
	for _, w := range readers {
		f := b.formsFor(w.Type)
		want |= f
		bare = bare && f&codes != 0
	}
	b.have, b.bare = want, bare
	b.reserve(want)
	b.norm = normBatch{b, x, n, want}
	p.Run(&b.norm, (b.rows+asm.TileRows-1)/asm.TileRows, max(1, rowGrain/(2*asm.TileRows*b.cols)))
	b.norm = normBatch{}
}

// checkRead panics if products with weights of type t read what b has not.
func (b *Batch) checkRead(t quant.Type) {
	if b.bare && b.formsFor(t)&codes == 0 {
		panic(fmt.Sprintf("ops: weights of type %v read rows of which a norm left only the quantised form", t))
	}
}

// normBatch is the task of NormBatch, 16 rows an item.
type normBatch struct {
	batch *Batch
	x     []float32
	norm  *Norm
	want  forms
}

func (t *normBatch) Do(_, lo, hi int) {
	b := t.batch
	for i := lo; i < hi; i++ {
		from, to := i*asm.TileRows, min((i+1)*asm.TileRows, b.rows)
		rest := preparation{b, t.want}
		if b.bare {
			rest.want &^= codes
			for r := from; r < to; r++ {
				x, a := row(t.x, r, b.cols), b.row8(r)
				asm.Quantize(a, x)
				s := float32(1 / math.Sqrt(asm.Squares(x)/float64(b.cols)+float64(t.norm.Eps)))
				asm.Scale(a.Scale, s)
				asm.Scale(a.Low, s)
			}
		} else {
			t.norm.apply(b.data[from*b.cols:to*b.cols], t.x[from*b.cols:to*b.cols], b.cols)
		}
		rest.Do(0, i, i+1)
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
