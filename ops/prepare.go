package ops

import (
	"fmt"
	"math"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// Prepare makes in the input of products with the rows of x, cols wide, in the
// forms that they read. x must stay as it is until the last product.
func (p *Pool) Prepare(in *Input, x []float32, cols int, f Forms) {
	checkRows("x", len(x), cols)
	in.begin(len(x)/cols, cols, f)
	in.data = x
	if in.packings&^plainF32 != 0 && in.rows > 0 {
		in.prepare = preparation{pool: p, in: in, x: x}
		p.Run(&in.prepare, in.panels(), max(1, inline/(4*asm.PanelRows*cols)))
		in.prepare = preparation{}
	}
}

// PrepareNorm makes in the input of products with the norms of the rows of x,
// cols wide, in the forms that they read, which it makes while a row is in the
// cache. It may overwrite x only when the products are done.
//
// If n is an RMSNorm without gain and bias and the products take quantized
// activations alone, nothing is normalized: x itself is quantized, which a
// common factor does not change but for the scales, and these are multiplied by
// the norm's one scalar (Graef et al., FlashNorm, arXiv 2407.09577).
func (p *Pool) PrepareNorm(in *Input, x []float32, cols int, n *Norm, f Forms) {
	checkRows("x", len(x), cols)
	n.check(cols)
	in.begin(len(x)/cols, cols, f)
	in.data = nil
	if in.packings&plainF32 != 0 {
		in.own = grow(in.own, len(x))
		in.data = in.own[:len(x)]
	}
	scalar := in.packings&^quantized == 0 && f&Outliers == 0 && !n.Center && n.Gain == nil && n.Bias == nil
	in.prepare = preparation{p, in, x, n, scalar}
	p.Run(&in.prepare, in.panels(), max(1, rowGrain/(2*asm.PanelRows*cols)))
	in.prepare = preparation{}
}

// preparation is the task of Prepare and PrepareNorm, 16 rows an item.
type preparation struct {
	pool   *Pool
	in     *Input
	x      []float32
	norm   *Norm // nil: none
	scalar bool  // the norm is left to the scales
}

func (t *preparation) Do(worker, lo, hi int) {
	in, s := t.in, &t.pool.scratch[worker]
	for i := lo; i < hi; i++ {
		from, to := i*asm.PanelRows*in.cols, min((i+1)*asm.PanelRows, in.rows)*in.cols
		y, q8 := t.x[from:to], in.q8At(i, s)
		if t.scalar {
			t.deferred(q8, y)
			in.arrange(i, q8, y, s)
			continue
		}
		if t.norm != nil {
			x := y
			if in.data != nil {
				y = in.data[from:to]
			} else { // rows that nobody reads stay in the cache
				s.rows16 = grow(s.rows16, asm.PanelRows*in.cols)
				y = s.rows16[:to-from]
			}
			t.norm.apply(y, x, in.cols)
		}
		if in.packings&quantized != 0 {
			asm.Quantize(q8, y)
		}
		if in.forms&Outliers != 0 {
			groups := in.cols / asm.Group
			for r := range len(y) / in.cols {
				in.outliers[i*asm.PanelRows+r] = splitOutlier(q8.Groups(r*groups, (r+1)*groups), row(y, r, in.cols))
			}
		}
		in.arrange(i, q8, y, s)
	}
}

// deferred quantizes rows and multiplies their scales by their norms' scalars.
func (t *preparation) deferred(q8 asm.Q8, rows []float32) {
	cols := t.in.cols
	groups := cols / asm.Group
	asm.Quantize(q8, rows)
	for r := range len(rows) / cols {
		x, a := row(rows, r, cols), q8.Groups(r*groups, (r+1)*groups)
		s := float32(1 / math.Sqrt(asm.Squares(x)/float64(cols)+float64(t.norm.Eps)))
		asm.Scale(a.Scale, a.Scale, s)
		asm.Scale(a.ScaledSum, a.ScaledSum, s)
	}
}

func (t *preparation) describe(s *Span, _ int) {
	s.Bytes = 4 * len(t.x)
	switch n := t.norm; {
	case n != nil && n.Center:
		s.Op, s.Bytes = fmt.Sprintf("LayerNorm %d, prepare", t.in.cols), 2*s.Bytes
	case n != nil:
		s.Op, s.Bytes = fmt.Sprintf("RMSNorm %d, prepare", t.in.cols), 2*s.Bytes
	case t.in.packings&panelsF32 != 0:
		s.Op = fmt.Sprintf("transpose activations %d", t.in.cols)
	case t.in.packings&(plainB16|panelsB16) != 0:
		s.Op = fmt.Sprintf("round activations %d", t.in.cols)
	default:
		s.Op = fmt.Sprintf("quantize activations %d", t.in.cols)
	}
}

// ColumnDot sets dst[r], for each row of in, to the product of the vector c
// with the activations as MatMul reads them for weights of type t:
//
//	dst[r] = sum over i of c[i] * a[r,i]
//
// So it cancels what MatMul adds up when c is a mean of weight rows. The rows
// must be prepared as [Dots].
func (p *Pool) ColumnDot(dst []float32, in *Input, c []float32, t quant.Type) {
	if len(dst) != in.rows || len(c) != in.cols {
		panic(fmt.Sprintf("ops: column dot of %d x %d by %d into %d", in.rows, in.cols, len(c), len(dst)))
	}
	in.check(t, Dots)
	in.dots = columnDots{in, in.storage(t).route, dst, c}
	p.Run(&in.dots, in.panels(), max(1, inline/(asm.PanelRows*max(1, in.cols))))
	in.dots = columnDots{}
}

// columnDots is the task of ColumnDot, 16 rows an item.
type columnDots struct {
	in     *Input
	route  route
	dst, c []float32
}

func (t *columnDots) Do(_, lo, hi int) {
	in, groups := t.in, t.in.cols/asm.Group
	from, to := lo*asm.PanelRows, min(hi*asm.PanelRows, in.rows)
	if t.route == integer {
		asm.DotQ8(t.dst[from:to], in.q8.Groups(from*groups, to*groups), t.c)
		if in.forms&Outliers != 0 {
			for r, o := range in.outliers[from:to] {
				t.dst[from+r] += float32(t.c[o.column] * o.value)
			}
		}
		return
	}
	asm.GemvFloat(quant.F32, t.dst[from:to], view[byte](in.data[from*in.cols:to*in.cols]), 4*in.cols, t.c)
}

func (t *columnDots) describe(s *Span, _ int) {
	s.Op = fmt.Sprintf("column dot %d", t.in.cols)
	s.Bytes = t.in.rows * t.in.cols
	if t.route != integer {
		s.Bytes *= 4
	}
}
