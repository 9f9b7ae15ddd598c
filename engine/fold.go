package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/internal/machine"
	forms "github.com/normswap/normswap/norm"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

// linears maps the matrices of the graph to what runs: one each, or one for
// each expert.
func (m *Model) linears() map[*arch.Linear][]*linear {
	all := map[*arch.Linear][]*linear{}
	for a, l := range map[*arch.Linear]*linear{
		&m.Arch.EmbedProject: &m.embedProject, &m.Arch.Head: &m.head, &m.Arch.Dense2: &m.dense2, &m.Arch.Dense3: &m.dense3,
		&m.Arch.ClassDense: &m.classDense, &m.Arch.ClassOut: &m.classOut,
	} {
		if l.w.Rows > 0 {
			all[a] = []*linear{l}
		}
	}
	if u := m.altUp; u != nil {
		of := m.Arch.AltUp
		all[&of.InputModel] = []*linear{&u.inputModel}
		for i := range u.widen {
			all[&of.Widen] = append(all[&of.Widen], &u.widen[i])
			all[&of.Merge] = append(all[&of.Merge], &u.merge[i])
		}
	}
	for i := range m.blocks {
		b := &m.blocks[i]
		for a, l := range map[*arch.Linear]*linear{
			&b.Block.KRope: &b.kRope, &b.Block.QHeads: &b.qHeads, &b.Block.Q: &b.q, &b.Block.K: &b.k, &b.Block.V: &b.v, &b.Block.O: &b.o,
			&b.Block.Gate: &b.gate, &b.Block.Up: &b.up, &b.Block.Down: &b.down, &b.Block.Router: &b.router,
		} {
			if l.w.Rows > 0 { // a mixture has those of the FFN elsewhere
				all[a] = []*linear{l}
			}
		}
		for a, l := range map[*arch.Linear]*linear{
			&b.Block.SharedGate: &b.shared.gate, &b.Block.SharedUp: &b.shared.up, &b.Block.SharedDown: &b.shared.down, &b.Block.SharedRouter: &b.sharedRouter,
		} {
			if l.w.Rows > 0 {
				all[a] = []*linear{l}
			}
		}
		if r := b.recurrence; r != nil {
			for a, l := range map[*arch.Linear]*linear{&b.Block.In: &r.in, &b.Block.ScanIn: &r.scanIn, &b.Block.Step: &r.step} {
				if l.w.Rows > 0 {
					all[a] = []*linear{l}
				}
			}
		}
		if u := b.altUp; u != nil {
			of := b.Block.AltUp
			for a, l := range map[*arch.Linear]*linear{
				&of.Router: &u.router, &of.Predict: &u.predict, &of.Correct: &u.correct, &of.LaurelL: &u.laurelL, &of.LaurelR: &u.laurelR,
				&of.InputGate: &u.inputGate, &of.InputProject: &u.inputProject,
			} {
				all[a] = []*linear{l}
			}
		}
		for h := range b.kHeads {
			all[&b.Block.KHeads] = append(all[&b.Block.KHeads], &b.kHeads[h])
			all[&b.Block.VHeads] = append(all[&b.Block.VHeads], &b.vHeads[h])
		}
		for e := range b.experts {
			x := &b.experts[e]
			if x.gate.w.Rows > 0 {
				all[&b.Block.Gate] = append(all[&b.Block.Gate], &x.gate)
			}
			all[&b.Block.Up] = append(all[&b.Block.Up], &x.up)
			all[&b.Block.Down] = append(all[&b.Block.Down], &x.down)
		}
	}
	return all
}

// planFold plans a fold, or remarks that there is nothing to fold.
func (m *Model) planFold() error {
	plan, err := fold.New(m.Arch)
	if errors.Is(err, fold.ErrNothing) {
		m.remark("%s changes nothing: every norm of %s is an RMSNorm already", RMSFolded, m.Arch.Spec.Name)
		return nil
	}
	m.plan = plan
	return err
}

// foldBytes returns the bytes of the weights that the planned fold reads.
func (m *Model) foldBytes() (n int64) {
	if m.plan == nil {
		return 0
	}
	for _, s := range m.plan.Steps {
		if s.Action == fold.CenterColumns {
			n += int64(len(s.Linear.W.Data) / (s.Linear.W.Items() / s.Linear.W.Dims[0]) * s.Linear.Rows * max(1, s.Linear.Experts))
		}
	}
	return n
}

// applyFold carries out the plan of package fold in memory: the weights stay
// as they are stored, and what centering them would take from their output is
// subtracted from it.
func (m *Model) applyFold(ctx context.Context, work *progress) error {
	if m.plan == nil {
		return nil
	}
	linears := m.linears()
	for _, s := range m.plan.Steps {
		switch s.Action {
		case fold.CenterRows:
			m.centerEmbed = true
		case fold.CenterColumns:
			for _, l := range linears[s.Linear] {
				l.center(m.pool, s.Groups)
				if err := ctx.Err(); err != nil {
					return err
				}
				work.add(int64(len(l.w.Data)))
			}
		case fold.CenterOutput:
			n := m.norms[s.Norm]
			for i, f := range n.parts {
				n.parts[i] = centeredOutput{withCenteredBias(f)}
			}
		case fold.CenterStream:
			m.blocks[s.Layer].centerStream = true
		case fold.Swap:
			n := m.norms[s.Norm]
			if m.choices[s.Norm].form.Kind.Name != string(RMSFolded) {
				continue
			}
			for i, f := range n.parts {
				if built, ok := f.(*ops.Norm); ok {
					swapped := *built
					swapped.Center = false
					n.parts[i] = &swapped
				}
			}
		}
	}
	return nil
}

// centeredOutput removes the mean of what a norm writes.
type centeredOutput struct{ Norm }

func (c centeredOutput) Apply(dst, x []float32) {
	c.Norm.Apply(dst, x)
	centerRow(dst)
}

// ApplyAt is Apply for the token at a position, which the norm may treat apart.
func (c centeredOutput) ApplyAt(dst, x []float32, position int) {
	if at, ok := c.Norm.(forms.Positional); ok {
		at.ApplyAt(dst, x, position)
	} else {
		c.Norm.Apply(dst, x)
	}
	centerRow(dst)
}

// centerRows removes the mean of each row of x.
func centerRows(x []float32, width int) {
	for i := range len(x) / width {
		centerRow(row(x, i, width))
	}
}

// withCenteredBias returns f, of which only the centered output is wanted, with a
// bias that is centered already: a large mean of it would take the last bits of
// what it is added to.
func withCenteredBias(f Norm) Norm {
	built, ok := f.(*ops.Norm)
	if !ok || built.Bias == nil {
		return f
	}
	changed := *built
	changed.Bias = slices.Clone(built.Bias)
	centerRow(changed.Bias)
	return &changed
}

// centerRow removes the mean of x. That is in float64: where the mean is large,
// its rounding to float32 would stay in what is left.
func centerRow(x []float32) {
	mean := ops.Mean(x)
	for i, v := range x {
		x[i] = float32(float64(v) - mean)
	}
}

// center computes what centering l within each of some groups of outputs
// takes away: the column means of the weights, to be multiplied with each
// input, and the mean of the bias. Means that are rounding alone are left
// alone: a file that was folded before costs nothing.
func (l *linear) center(p *ops.Pool, groups int) {
	rows := l.w.Rows / groups
	means, some := make([][]float32, groups), false
	for g := range means {
		means[g] = make([]float32, l.w.Cols)
		w := l.w.Slice(g*rows, (g+1)*rows)
		ops.ColumnMeans(p, means[g], &w)
		some = some || !negligible(means[g], &w)
	}
	if some {
		l.means = means
	}
	if l.b != nil {
		l.b = slices.Clone(l.b) // it may be shared with other rows of a fused tensor
		for g := range groups {
			centerRow(l.b[g*rows : (g+1)*rows])
		}
	}
}

// negligible reports whether the column means of w leave so little in what w
// writes that ten such matrices pass the check after a fold.
func negligible(means []float32, w *ops.Matrix) bool {
	const sample = 16 // rows, which tell how large the weights are
	row := make([]float32, w.Cols)
	var squares float64
	n := min(sample, w.Rows)
	for i := range n {
		w.Row(row, i*w.Rows/n)
		squares += ops.SumSquares(row) / float64(n)
	}
	return math.Sqrt(ops.SumSquares(means)) <= largestRatio(w.Type)/10*math.Sqrt(squares)
}

// centerWeights replaces the matrices whose means are subtracted from products
// by centered copies in F32. That is exact where the means are so large that
// the subtraction would take the last bits of the result. It does nothing, and
// returns false, if there is no memory for the copies.
func (m *Model) centerWeights(ctx context.Context) (bool, error) {
	var all []*linear
	var bytes int64
	for _, linears := range m.linears() {
		for _, l := range linears {
			if l.means != nil {
				all, bytes = append(all, l), bytes+4*int64(l.w.Rows)*int64(l.w.Cols)
			}
		}
	}
	if len(all) == 0 || bytes > machine.Memory().Bytes-spare {
		return false, nil
	}
	for _, l := range all {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if err := l.centerWeights(); err != nil {
			return false, fmt.Errorf("engine: %w", err)
		}
	}
	m.remark("%s centers copies of weights whose means are large: they take %.3g MB", RMSFolded, float64(bytes)/1e6)
	return true, nil
}

// centerWeights makes w a copy in F32 without the column means of each group of
// outputs, which nothing subtracts then from products.
func (l *linear) centerWeights() error {
	row, means := make([]float32, l.w.Cols), make([]float64, l.w.Cols)
	size, rows := 4*l.w.Cols, l.w.Rows/len(l.means)
	data := make([]byte, size*l.w.Rows)
	for first := 0; first < l.w.Rows; first += rows {
		clear(means)
		for i := first; i < first+rows; i++ {
			l.w.Row(row, i)
			for j, v := range row {
				means[j] += float64(v) / float64(rows)
			}
		}
		for i := first; i < first+rows; i++ {
			l.w.Row(row, i)
			for j, v := range row {
				row[j] = float32(float64(v) - means[j])
			}
			if err := quant.Encode(data[i*size:(i+1)*size], quant.F32, row); err != nil {
				return err
			}
		}
	}
	var err error
	l.means = nil
	l.w, err = ops.NewMatrix(quant.F32, l.w.Rows, l.w.Cols, data)
	return err
}

// remark adds to what the norms have to say for themselves.
func (m *Model) remark(format string, args ...any) {
	if m.note != "" {
		m.note += "; "
	}
	m.note += fmt.Sprintf(format, args...)
}
