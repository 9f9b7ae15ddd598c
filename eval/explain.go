package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/ops"
)

// An Explanation is what could predict the cost of the naive swap at one norm. With
// theta the angle of its input with the uniform vector 1, gain g and the matrices W
// behind it, RMSNorm differs from LayerNorm by cos(theta) W(g*1), the offset, and by
// sin(theta) - 1 times the output, the shrink.
type Explanation struct {
	Cosine   Number `json:"cosine_rms"`        // root mean square of cos(theta) over tokens
	Response Number `json:"reader_response"`   // |W(g*1)| / |W diag(g)|_F; chance: 1; a norm without readers: 1
	Offset   Number `json:"offset"`            // Cosine times Response: relative to what the readers make of the norm
	Shrink   Number `json:"shrink"`            // root mean square of 1 - sin(theta)
	SigmaCV  Number `json:"sigma_cv"`          // standard deviation of the vectors' sigma over its mean, without first tokens
	Largest  Number `json:"largest_dimension"` // share of the energy of the largest dimension; chance: 1/width
	Index    int    `json:"largest_at"`        // that dimension
	Ratio    Number `json:"largest_to_median"` // its root mean square, over the median of all dimensions
	Tail     Number `json:"cosine_largest"`    // largest |cos(theta)| of a token
}

// predictors are the figures whose rank correlation with the cost is told.
var predictors = []struct {
	name string
	of   func(e *Explanation) Number
}{
	{"offset", func(e *Explanation) Number { return e.Offset }},
	{"shrink", func(e *Explanation) Number { return e.Shrink }},
	{"cosine", func(e *Explanation) Number { return e.Cosine }},
	{"reader response", func(e *Explanation) Number { return e.Response }},
	{"variation of sigma", func(e *Explanation) Number { return e.SigmaCV }},
}

func correlation(rows []Row, of func(e *Explanation) Number) float64 {
	var x, y []float64
	for i := range rows {
		x, y = append(x, float64(of(rows[i].Explanation))), append(y, rows[i].Cost())
	}
	return rankCorrelation(x, y)
}

// explaining are the sums of one norm.
type explaining struct {
	n, cos2, shrink2, tail float64
	sigma                  moments
	dims                   []float64 // sums of squares
}

// Explain returns the figures of norms of a model, with its norms as trained, on
// sequences of tokens.
func Explain(ctx context.Context, m *engine.Model, sites []*arch.Norm, sequences [][]int32) ([]Explanation, error) {
	sums := map[string]*explaining{}
	for _, n := range sites {
		sums[n.Site] = &explaining{dims: make([]float64, n.Width)}
	}
	tap := &engine.Tap{
		Sites: func(n *arch.Norm) bool { return sums[n.Site] != nil },
		Func: func(h engine.Hidden) {
			if h.Stage == engine.In {
				eachVector(h, sums[h.Site.Site].add)
			}
		},
	}
	for _, s := range sequences {
		if err := m.Trace(ctx, s, tap); err != nil {
			return nil, err
		}
	}
	var all []Explanation
	err := m.File.Guard(func() error {
		for _, n := range sites {
			response, err := ReaderResponse(ctx, m.Arch, n.Site)
			if err != nil {
				return err
			}
			if response == 0 {
				response = 1 // of the stream itself
			}
			all = append(all, sums[n.Site].explanation(response))
		}
		return nil
	})
	return all, err
}

// byName returns the norm of a site: those of a variant are others.
func byName(m *arch.Model, site string) *arch.Norm {
	for _, n := range m.Norms() {
		if n.Site == site {
			return n
		}
	}
	return nil
}

func (e *explaining) add(x []float32, position int) {
	squares, d := ops.SumSquares(x), float64(len(x))
	if squares == 0 {
		return
	}
	mean := ops.Mean(x)
	cos2 := min(1, d*mean*mean/squares)
	sin := math.Sqrt(1 - cos2)
	e.n++
	e.cos2 += cos2
	e.shrink2 += (1 - sin) * (1 - sin)
	e.tail = max(e.tail, math.Sqrt(cos2))
	if position > 0 {
		e.sigma.Add(math.Sqrt(squares/d) * sin)
	}
	for i, v := range x {
		e.dims[i] += float64(v) * float64(v)
	}
}

func (e *explaining) explanation(response float64) Explanation {
	cos := math.Sqrt(e.cos2 / e.n)
	top, total := 0, 0.0
	for i, v := range e.dims {
		total += v
		if v > e.dims[top] {
			top = i
		}
	}
	sorted := slices.Sorted(slices.Values(e.dims))
	return Explanation{
		Cosine: Number(cos), Response: Number(response), Offset: Number(cos * response), Shrink: Number(math.Sqrt(e.shrink2 / e.n)),
		SigmaCV: Number(math.Sqrt(e.sigma.M2/float64(e.sigma.N)) / e.sigma.Mean), Tail: Number(e.tail),
		Largest: Number(e.dims[top] / total), Index: top, Ratio: Number(math.Sqrt(e.dims[top] / sorted[len(sorted)/2])),
	}
}

// ReaderResponse returns |W g| / |W diag(g)|_F over all matrices W that read the norm of a
// site, whose gain is g: 1 by chance, 0 where none does.
func ReaderResponse(ctx context.Context, m *arch.Model, site string) (float64, error) {
	n := byName(m, site)
	if n == nil {
		return 0, fmt.Errorf("eval: the model has no norm %s", site)
	}
	readers := m.Readers(n)
	if len(readers) == 0 {
		return 0, nil
	}
	gain := slices.Repeat([]float32{1}, n.Width)
	if n.Gain != nil {
		var err error
		if gain, err = n.Gain.Float32s(); err != nil {
			return 0, err
		}
	}
	var offset, frobenius float64
	for _, l := range readers {
		size, err := l.W.Type.RowBytes(l.W.Dims[0])
		if err != nil {
			return 0, fmt.Errorf("eval: tensor %s: %w", l.W.Name, err)
		}
		for e := range max(1, l.Experts) {
			first := e*l.Rows + l.From // experts are whole matrices
			w, err := ops.NewMatrix(l.W.Type, l.Rows, l.W.Dims[0], l.W.Data[first*size:(first+l.Rows)*size])
			if err != nil {
				return 0, fmt.Errorf("eval: tensor %s: %w", l.W.Name, err)
			}
			row := make([]float32, w.Cols)
			for i := range w.Rows {
				if err := ctx.Err(); err != nil {
					return 0, err
				}
				w.Row(row, i)
				var sum float64
				for j, v := range row {
					product := float64(v) * float64(gain[j])
					sum += product
					frobenius += product * product
				}
				offset += sum * sum
			}
		}
	}
	return math.Sqrt(offset / frobenius), nil
}

// rankCorrelation is Spearman's: the correlation of the ranks, equal values having the
// mean of theirs. It is NaN where all values are equal.
func rankCorrelation(x, y []float64) float64 {
	a, b := ranks(x), ranks(y)
	var mean, xy, xx, yy float64
	mean = float64(len(a)-1) / 2
	for i := range a {
		dx, dy := a[i]-mean, b[i]-mean
		xy, xx, yy = xy+dx*dy, xx+dx*dx, yy+dy*dy
	}
	return xy / math.Sqrt(xx*yy)
}

func ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(x[i], x[j]) })
	r := make([]float64, len(x))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && x[order[to]] == x[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			r[i] = float64(from+to-1) / 2
		}
		from = to
	}
	return r
}
