package ops

import (
	"fmt"
	"math"

	"github.com/normswap/normswap/ops/asm"
)

// A RoPEConfig describes a rotary position embedding. Pair i of a head is
// rotated by the angle pos * Base^(-2i/Dims) / Factors[i], before scaling.
type RoPEConfig struct {
	Dims     int       // how many leading elements of each head are rotated; even
	Pairwise bool      // pairs are (x[2i], x[2i+1]); else (x[i], x[i+Dims/2])
	Base     float32   // of the frequencies, e.g. 10000
	Scale    float32   // multiplies every angle (linear position interpolation); 0 is 1
	Factors  []float32 // Dims/2 divisors of the frequencies; nil is all ones
	Mscale   float32   // multiplies cos and sin; 0 is 1
	YaRN     *YaRN     // nil: none
}

// YaRN blends, by frequency, angles that are scaled by RoPEConfig.Scale with
// angles that are not (Peng et al., arXiv 2309.00071). Pairs that turn more
// than BetaFast times over OrigContext positions keep their angle, pairs that
// turn less than BetaSlow times are scaled, those between are mixed. The
// rotation is also multiplied by 1 + 0.1 ln(1/Scale).
type YaRN struct {
	OrigContext int     // context length of the original training
	Ext         float32 // how much of the unscaled angle to mix in; 1 is YaRN
	BetaFast    float32 // e.g. 32
	BetaSlow    float32 // e.g. 1
}

// RoPE is a rotary position embedding with its frequencies worked out. It is
// immutable.
type RoPE struct {
	dims     int
	pairwise bool
	freq     []float64 // radians a position, one per pair
	mscale   float64
}

// NewRoPE works out the frequencies of c. It panics if c.Dims is not positive
// and even, or if c.Factors has another length than c.Dims/2.
func NewRoPE(c RoPEConfig) *RoPE {
	if c.Dims <= 0 || c.Dims%2 != 0 {
		panic(fmt.Sprintf("ops: RoPE over %d dimensions, want a positive even number", c.Dims))
	}
	half := c.Dims / 2
	if c.Factors != nil {
		checkLen("RoPE factors", len(c.Factors), half)
	}
	scale := orOne(c.Scale)
	r := &RoPE{dims: c.Dims, pairwise: c.Pairwise, freq: make([]float64, half), mscale: orOne(c.Mscale)}
	for i := range r.freq {
		f := math.Pow(float64(c.Base), -2*float64(i)/float64(c.Dims))
		if c.Factors != nil {
			f /= float64(c.Factors[i])
		}
		r.freq[i] = f * scale
		if y := c.YaRN; y != nil {
			keep := y.keep(i, c.Dims, float64(c.Base)) * float64(y.Ext)
			r.freq[i] = f*scale*(1-keep) + f*keep
		}
	}
	if c.YaRN != nil && c.YaRN.Ext != 0 {
		r.mscale *= 1 + 0.1*math.Log(1/scale)
	}
	return r
}

// keep is the share of the unscaled angle in pair i: a ramp from 1 at the
// fast end to 0 at the slow end.
func (y *YaRN) keep(i, dims int, base float64) float64 {
	// pair at which the angle turns the given number of times
	pair := func(turns float32) float64 {
		return float64(dims) * math.Log(float64(y.OrigContext)/(float64(turns)*2*math.Pi)) / (2 * math.Log(base))
	}
	low := max(0, math.Floor(pair(y.BetaFast)))
	high := min(float64(dims-1), math.Ceil(pair(y.BetaSlow)))
	return 1 - min(1, max(0, (float64(i)-low)/max(0.001, high-low)))
}

func orOne(f float32) float64 {
	if f == 0 {
		return 1
	}
	return float64(f)
}

// Width is the length of the table of one position.
func (r *RoPE) Width() int { return 2 * r.dims }

// Table fills dst, of length [RoPE.Width], with the rotation of one position.
// One table serves every head of every layer.
//
// Its two halves are factors of an element and of its partner in the pair:
// x[j]*dst[j] + partner(x[j])*dst[Dims+j].
func (r *RoPE) Table(dst []float32, pos int) {
	checkLen("RoPE table", len(dst), r.Width())
	own, other := dst[:r.dims], dst[r.dims:]
	for i, f := range r.freq {
		s, c := math.Sincos(float64(pos) * f)
		cos, sin := float32(c*r.mscale), float32(s*r.mscale)
		a, b := r.pair(i)
		own[a], own[b] = cos, cos
		other[a], other[b] = -sin, sin
	}
}

// Tables fills dst with one table for each of the positions pos, pos+1, ...;
// its length is a multiple of [RoPE.Width].
func (r *RoPE) Tables(dst []float32, pos int) {
	checkRows("RoPE tables", len(dst), r.Width())
	for i := range len(dst) / r.Width() {
		r.Table(row(dst, i, r.Width()), pos+i)
	}
}

// pair returns the two elements of pair i.
func (r *RoPE) pair(i int) (a, b int) {
	if r.pairwise {
		return 2 * i, 2*i + 1
	}
	return i, i + r.dims/2
}

// Apply rotates, in place, the first Dims elements of each of the heads in x
// (heads times headDim elements) by the table of one position.
func (r *RoPE) Apply(x []float32, heads, headDim int, table []float32) {
	checkLen("RoPE input", len(x), heads*headDim)
	r.check(headDim)
	checkLen("RoPE table", len(table), r.Width())
	r.apply(x, heads, headDim, table)
}

func (r *RoPE) check(headDim int) {
	if headDim < r.dims {
		panic(fmt.Sprintf("ops: RoPE over %d dimensions of heads of %d", r.dims, headDim))
	}
}

func (r *RoPE) apply(x []float32, heads, headDim int, table []float32) {
	own, other := table[:r.dims], table[r.dims:]
	if r.pairwise {
		asm.RotatePairs(x, own, other, heads, headDim)
	} else {
		asm.RotateHalves(x, own, other, heads, headDim)
	}
}

// RoPE applies r to each row of x, rows of heads times headDim elements, with
// one table per row.
func (p *Pool) RoPE(r *RoPE, x []float32, heads, headDim int, tables []float32) {
	width := heads * headDim
	checkRows("RoPE input", len(x), width)
	r.check(headDim)
	n := len(x) / width
	checkLen("RoPE tables", len(tables), n*r.Width())
	p.rows.run(p, rowWork{op: ropeRows, x: x, y: tables, width: width, rope: r, heads: heads, headDim: headDim}, n, width)
}

func ropeRows(w *rowWork, lo, hi int) {
	for i := lo; i < hi; i++ {
		w.rope.apply(row(w.x, i, w.width), w.heads, w.headDim, row(w.y, i, w.rope.Width()))
	}
}
