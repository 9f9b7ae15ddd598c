package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

// A NormMode says what becomes of the norms of a model.
type NormMode string

const (
	// Native leaves the norms as trained.
	Native NormMode = "native"
	// RMSFolded folds the mean removal of LayerNorm into the weights and runs
	// RMSNorm: the same function.
	RMSFolded NormMode = "rms-folded"
	// RMSNaive leaves the mean removal out, and nothing makes up for it:
	// another function, near the original where the means are small.
	RMSNaive NormMode = "rms-naive"
	// Layer is the reverse experiment: it adds the removal of the mean to the
	// norms of an RMSNorm model.
	Layer NormMode = "layer"
)

// NormModes are the modes in the order of their mention.
var NormModes = []NormMode{Native, RMSFolded, RMSNaive, Layer}

// ParseNormMode finds a mode by its name.
func ParseNormMode(name string) (NormMode, error) {
	if m := NormMode(name); slices.Contains(NormModes, m) {
		return m, nil
	}
	return "", fmt.Errorf("engine: no norm mode %q; there are native, rms-folded, rms-naive and layer", name)
}

// ParseNormSites reads a list of places such as "0-3,7,final": numbers and
// ranges of layers, "embed" for the norm on the embedding, "final" for the
// last one. The function it returns accepts the norms of those places.
func ParseNormSites(list string, layers int) (func(*arch.Norm) bool, error) {
	in := make([]bool, layers)
	var embed, final bool
	for _, item := range strings.Split(list, ",") {
		switch item = strings.TrimSpace(item); item {
		case "embed":
			embed = true
		case "final":
			final = true
		default:
			from, to, ranged := strings.Cut(item, "-")
			a, errA := strconv.Atoi(from)
			b, errB := a, error(nil)
			if ranged {
				b, errB = strconv.Atoi(to)
			}
			if errA != nil || errB != nil || a > b || a < 0 || b >= layers {
				return nil, fmt.Errorf("engine: norm layers %q: want layers of 0-%d, \"embed\" or \"final\"", item, layers-1)
			}
			for i := a; i <= b; i++ {
				in[i] = true
			}
		}
	}
	return func(n *arch.Norm) bool {
		if n.Layer >= 0 {
			return in[n.Layer]
		}
		return n.Residual && final || !n.Residual && embed
	}, nil
}

// WithNorm replaces a norm of the graph. It is given the native one and
// returns what takes its place, or the same.
type WithNorm func(site *arch.Norm, native *ops.Norm) Norm

// replacement returns what the mode makes of each norm, and a note when that
// is nothing at all.
func (o *Options) replacement(m *arch.Model) (with WithNorm, note string, err error) {
	same := func(_ *arch.Norm, n *ops.Norm) Norm { return n }
	center := func(on bool) WithNorm {
		return func(site *arch.Norm, n *ops.Norm) Norm {
			if o.NormSites != nil && !o.NormSites(site) {
				return n
			}
			swapped := *n
			swapped.Center = on
			return &swapped
		}
	}
	if o.NormSites != nil && (o.Norm == "" || o.Norm == Native || o.Norm == RMSFolded) {
		return nil, "", fmt.Errorf("engine: single norms can be swapped in the modes %s and %s, not in %s", RMSNaive, Layer, cmp.Or(o.Norm, Native))
	}
	switch o.Norm {
	case "", Native:
		with = same
	case RMSFolded:
		with = same // applyFold does the rest
	case RMSNaive:
		with = center(false)
		if m.Spec.Norm == arch.RMSNorm {
			note = fmt.Sprintf("%s changes nothing: every norm of %s is an RMSNorm already", RMSNaive, m.Spec.Name)
		}
	case Layer:
		with = center(true)
		if m.Spec.Norm == arch.LayerNorm {
			note = fmt.Sprintf("%s changes nothing: every norm of %s is a LayerNorm already", Layer, m.Spec.Name)
		}
	default:
		_, err = ParseNormMode(string(o.Norm))
		return nil, "", err
	}
	if o.WithNorm != nil {
		mode := with
		with = func(site *arch.Norm, n *ops.Norm) Norm {
			changed := mode(site, n)
			if built, ok := changed.(*ops.Norm); ok {
				return o.WithNorm(site, built)
			}
			return changed
		}
	}
	return with, note, nil
}

// applyFold carries out the plan of package fold in memory: the weights stay
// as they are stored, and what centring them would take from their output is
// subtracted from it.
func (m *Model) applyFold() error {
	plan, err := fold.New(m.Arch)
	if errors.Is(err, fold.ErrNothing) {
		m.note = fmt.Sprintf("%s changes nothing: every norm of %s is an RMSNorm already", RMSFolded, m.Arch.Spec.Name)
		return nil
	}
	if err != nil {
		return err
	}
	m.plan = plan
	steps := map[any]*fold.Step{} // by what they act on
	for i := range plan.Steps {
		s := &plan.Steps[i]
		switch s.Action {
		case fold.CentreRows:
			steps[s.Rows] = s
		case fold.CentreColumns:
			steps[s.Linear] = s
		default:
			steps[s.Norm] = s
		}
	}
	_, m.centreEmbed = steps[m.Arch.Embed]
	weights := func(a *arch.Linear, l *linear) {
		if s := steps[a]; s != nil {
			l.centre(m.pool, s.Groups)
		}
	}
	site := func(n *norm) {
		if n == nil || steps[n.site] == nil {
			return
		}
		for i, f := range n.groups {
			if steps[n.site].Action == fold.CentreOutput {
				n.groups[i] = centred{f}
			} else if built, ok := f.(*ops.Norm); ok {
				swapped := *built
				swapped.Center = false
				n.groups[i] = &swapped
			}
		}
	}
	site(m.embedNorm)
	site(m.finalNorm)
	for i := range m.blocks {
		b := &m.blocks[i]
		weights(&b.Block.Q, &b.q)
		weights(&b.Block.K, &b.k)
		weights(&b.Block.O, &b.o)
		weights(&b.Block.Down, &b.down)
		for e := range b.experts {
			weights(&b.Block.Down, &b.experts[e].down)
		}
		for _, n := range []*norm{b.attnNorm, b.ffnNorm, b.attnPost, b.ffnPost, b.qNorm, b.kNorm} {
			site(n)
		}
	}
	return m.checkFold()
}

// centred removes the mean of what a norm writes.
type centred struct{ Norm }

func (c centred) Apply(dst, x []float32) {
	c.Norm.Apply(dst, x)
	centreRow(dst)
}

// centreRow removes the mean of x.
func centreRow(x []float32) {
	mean := float32(ops.Mean(x))
	for i := range x {
		x[i] -= mean
	}
}

// centre computes what centring l within each of so many groups of outputs
// takes away: the column means of the weights, to be multiplied with each
// input, and the mean of the bias.
func (l *linear) centre(p *ops.Pool, groups int) {
	if l.w.Rows == 0 { // a mixture has its down projections elsewhere
		return
	}
	rows := l.w.Rows / groups
	l.means = make([][]float32, groups)
	for g := range l.means {
		l.means[g] = make([]float32, l.w.Cols)
		w := l.w.Slice(g*rows, (g+1)*rows)
		ops.ColumnMeans(p, l.means[g], &w)
	}
	if l.b != nil {
		l.b = slices.Clone(l.b) // it may be shared with other rows of a fused tensor
		for g := range groups {
			centreRow(l.b[g*rows : (g+1)*rows])
		}
	}
}

// shiftOf returns what is to be subtracted from each output of l for each
// row of in, so that the outputs are centred; nil if they are left as they
// are.
func (s *Session) shiftOf(l *linear, in *ops.Batch) []float32 {
	if l.means == nil {
		return nil
	}
	shift := s.shift[:in.Rows()]
	s.pool.ColumnDot(shift, in, l.means[0], l.w.Type)
	return shift
}

// centreGroups centres the outputs dst of l group by group.
func (s *Session) centreGroups(dst []float32, l *linear, in *ops.Batch) {
	if l.means == nil {
		return
	}
	shift := s.shift[:in.Rows()]
	size := l.w.Rows / len(l.means)
	for g, c := range l.means {
		s.pool.ColumnDot(shift, in, c, l.w.Type)
		for r, v := range shift {
			part := dst[r*l.w.Rows+g*size:][:size]
			for i := range part {
				part[i] -= v
			}
		}
	}
}

// MeanRatio is what a folded norm reads: the greatest |mean|/rms of the
// vectors of a probe at one site. Folding makes it nought but for rounding.
type MeanRatio struct {
	Site  string  `json:"site"`
	Ratio float64 `json:"mean_over_rms"`
}

// CheckFold runs tokens through a folded model and returns the ratios at
// each norm that no longer removes the mean.
func (m *Model) CheckFold(tokens []int32) ([]MeanRatio, error) {
	if m.plan == nil {
		return nil, nil
	}
	swapped := map[*arch.Norm]bool{}
	for _, s := range m.plan.Steps {
		if s.Action == fold.Swap {
			swapped[s.Norm] = true
		}
	}
	var all []MeanRatio
	tap := &Tap{
		Sites: func(n *arch.Norm) bool { return swapped[n] },
		Func: func(h Hidden) {
			if h.Stage != In {
				return
			}
			worst, w := 0.0, h.Site.Width
			for i := 0; i < len(h.Rows); i += w {
				v := h.Rows[i : i+w]
				rms := math.Sqrt(ops.SumSquares(v) / float64(w))
				if rms != 0 { // NaN shows in the ratio
					worst = max(worst, math.Abs(ops.Mean(v))/rms)
				}
			}
			all = append(all, MeanRatio{h.Site.Site, worst})
		},
	}
	s, err := m.NewSession(SessionOptions{Context: min(len(tokens), m.Context()), Tap: tap})
	if err != nil {
		return nil, err
	}
	return all, s.Append(context.Background(), tokens[:min(len(tokens), s.Max())])
}

// probeTokens is how many tokens the check after a fold looks at.
const probeTokens = 32

// checkFold fails if a norm that no longer removes the mean still reads one.
func (m *Model) checkFold() error {
	probe := make([]int32, min(probeTokens, m.Context()))
	for i := range probe {
		probe[i] = int32((3 + 7919*i) % m.Vocab())
	}
	ratios, err := m.CheckFold(probe)
	if err != nil {
		return err
	}
	bound := 1e-5 // some roundings of float32
	for _, s := range m.plan.Steps {
		if s.Linear != nil && (s.Linear.W.Type == quant.F16 || s.Linear.W.Type == quant.BF16) {
			bound = 1e-4
		}
	}
	for _, r := range ratios {
		if !(r.Ratio <= bound) {
			return fmt.Errorf("engine: the fold failed its check: %s reads vectors with |mean|/rms up to %.2g, want at most %.0e", r.Site, r.Ratio, bound)
		}
	}
	return nil
}
