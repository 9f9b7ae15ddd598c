package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/plain"
)

// massive is how many times the median of all dimensions the root mean square of a massive
// one is, at least. Sun et al. (arXiv 2402.17762) judge single activations, above 100 and
// 1000 times the median of their vector: Dimension has these figures too.
const massive = 10

// A Dimension is what one element of the vectors that a norm reads holds.
type Dimension struct {
	Index   int    `json:"dimension"`
	Share   Number `json:"energy_share"`                // of all tokens together; chance: 1/width
	RMS     Number `json:"rms"`                         // over tokens
	Ratio   Number `json:"rms_to_median"`               // over the median of the RMS of all dimensions
	Largest Number `json:"largest"`                     // magnitude at a token
	Token   Number `json:"largest_to_median"`           // that, over the median magnitude of the vector it is in
	Massive bool   `json:"massive"`                     // Ratio is 10 or more
	First   Number `json:"energy_share_of_first_token"` // of its energy that is at position 0
}

// SiteDimensions are the dimensions with the most energy that one norm reads.
type SiteDimensions struct {
	Site   string      `json:"site"`
	Layer  int         `json:"layer"` // -1 outside the blocks
	Role   string      `json:"role"`
	Width  int         `json:"width"`
	Stream bool        `json:"reads_stream"`
	Top    []Dimension `json:"dimensions"`
}

// sizes are the sums of one norm.
type sizes struct {
	squares, first []float64
	largest, ratio []float64
	magnitudes     []float32 // scratch
}

func (s *sizes) add(x []float32, position int) {
	grown := false
	for i, v := range x {
		e := float64(v) * float64(v)
		s.squares[i] += e
		if position == 0 {
			s.first[i] += e
		}
		grown = grown || math.Abs(float64(v)) > s.largest[i]
	}
	if !grown {
		return
	}
	s.magnitudes = s.magnitudes[:0]
	for _, v := range x {
		s.magnitudes = append(s.magnitudes, max(v, -v))
	}
	slices.Sort(s.magnitudes)
	median := float64(s.magnitudes[len(x)/2])
	for i, v := range x {
		if a := math.Abs(float64(v)); a > s.largest[i] {
			s.largest[i], s.ratio[i] = a, a/median
		}
	}
}

func (s *sizes) top(n int, vectors float64) []Dimension {
	var total float64
	order := make([]int, len(s.squares))
	for i, v := range s.squares {
		total += v
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(s.squares[j], s.squares[i]) })
	median := s.squares[order[len(order)/2]]
	var all []Dimension
	for _, i := range order[:min(n, len(order))] {
		ratio := math.Sqrt(s.squares[i] / median)
		all = append(all, Dimension{
			Index: i, Share: Number(s.squares[i] / total), RMS: Number(math.Sqrt(s.squares[i] / vectors)), Ratio: Number(ratio),
			Largest: Number(s.largest[i]), Token: Number(s.ratio[i]), Massive: ratio >= massive, First: Number(s.first[i] / s.squares[i]),
		})
	}
	return all
}

// Dimensions returns the n dimensions with the most energy of what each of some norms of
// a model reads, on sequences of tokens.
func Dimensions(ctx context.Context, m *engine.Model, sites []*arch.Norm, sequences [][]int32, n int) ([]SiteDimensions, error) {
	sums := map[*arch.Norm]*sizes{}
	counts := map[*arch.Norm]float64{}
	for _, s := range sites {
		zeros := func() []float64 { return make([]float64, s.Width) }
		sums[s] = &sizes{zeros(), zeros(), zeros(), zeros(), nil}
	}
	tap := &engine.Tap{
		Sites: func(s *arch.Norm) bool { return sums[s] != nil },
		Func: func(h engine.Hidden) {
			if h.Stage == engine.In {
				eachVector(h, sums[h.Site].add)
				counts[h.Site] += float64(len(h.Rows) / h.Site.Width)
			}
		},
	}
	for _, s := range sequences {
		if err := m.Trace(ctx, s, tap); err != nil {
			return nil, err
		}
	}
	var all []SiteDimensions
	for _, s := range sites {
		all = append(all, SiteDimensions{s.Site, s.Layer, string(s.Role), s.Width, s.Residual, sums[s].top(n, counts[s])})
	}
	return all, nil
}

// A MassiveDimension is one that is massive at several norms that read the residual
// stream.
type MassiveDimension struct {
	Index   int    `json:"dimension"`
	Born    string `json:"born_at"`       // the first norm that reads it
	Layer   int    `json:"born_in_layer"` // of that norm; -1 outside the blocks
	Sites   int    `json:"sites"`         // how many read it
	Share   Number `json:"largest_energy_share"`
	ShareAt string `json:"largest_energy_share_at"`
}

// MassiveDimensions sums up the massive dimensions of the residual stream, the largest
// share first.
func MassiveDimensions(sites []SiteDimensions) []MassiveDimension {
	var all []MassiveDimension
	for _, s := range sites {
		for _, d := range s.Top {
			if !s.Stream || !d.Massive {
				continue
			}
			i := slices.IndexFunc(all, func(m MassiveDimension) bool { return m.Index == d.Index })
			if i < 0 {
				i = len(all)
				all = append(all, MassiveDimension{Index: d.Index, Born: s.Site, Layer: s.Layer})
			}
			m := &all[i]
			if m.Sites++; d.Share > m.Share {
				m.Share, m.ShareAt = d.Share, s.Site
			}
		}
	}
	slices.SortStableFunc(all, func(a, b MassiveDimension) int { return cmp.Compare(b.Share, a.Share) })
	return all
}

// MassiveSentence says in words which dimensions are massive.
func MassiveSentence(all []MassiveDimension, norms int) string {
	if len(all) == 0 {
		return fmt.Sprintf("No dimension of the residual stream has %d times the root mean square of the median one at any norm.", massive)
	}
	const most = 5
	text := ""
	for _, m := range all[:min(len(all), most)] {
		text += fmt.Sprintf("Dimension %d is massive from %s on, at %d of %s: up to %s of the energy, at %s. ",
			m.Index, m.Born, m.Sites, plain.Count(norms, "norm"), plain.Percent(float64(m.Share)), m.ShareAt)
	}
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf("So are %d more.", more)
	}
	return text
}
