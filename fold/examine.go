package fold

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// A WriterMean is how much of what a matrix writes to the residual stream is mean.
type WriterMean struct {
	Tensor   string  `json:"tensor"`
	Layer    int     `json:"layer"` // -1 outside the blocks
	Type     string  `json:"type"`
	Share    float64 `json:"energy_share"` // of its vectors, or of its output for white input, along the uniform vector
	Chance   float64 `json:"chance"`       // the share that a random direction has, 1/d
	Centered bool    `json:"centered"`     // to what its type can store; the bias too
}

// An Examination tells whether a file is what it says: with which norm it runs, and what
// its writers say of how it was trained.
type Examination struct {
	Norm        string       `json:"norm"` // of its architecture
	SaysFolded  bool         `json:"says_folded"`
	Requantized bool         `json:"requantized"` // it says that it was encoded in blocks behind the fold
	Writers     []WriterMean `json:"writers"`
	Verdict     string       `json:"verdict"`
}

// Training leaves a mean of the size of chance in what writes to RMSNorms, and a smaller
// one in what writes to LayerNorms, which no gradient maintains. This far below chance
// nothing but LayerNorm is known to lead.
const belowChance = 1.0 / 3

// Examine measures the means of all that writes the residual stream of the model m of the
// file f, and says what they tell.
func Examine(ctx context.Context, f *gguf.File, m *arch.Model) (*Examination, error) {
	says, err := ReadProvenance(&f.Meta)
	if err != nil {
		return nil, err
	}
	x := &Examination{Norm: strings.ToLower(m.Spec.Norm.String()), SaysFolded: says != nil && says.Level != LevelReaders}
	x.Requantized = x.SaysFolded && says.Requantized
	err = f.Guard(func() error {
		for _, w := range m.Writers() {
			var found WriterMean
			var err error
			switch {
			case w.Rows != nil:
				found, err = meanOfRows(ctx, w.Rows)
			case w.Linear != nil:
				found, err = meanOfColumns(ctx, w.Linear)
			default:
				continue // a norm
			}
			if err == nil && found.Share-found.Share != 0 {
				err = fmt.Errorf("fold: tensor %s holds values that are not finite", found.Tensor)
			}
			if err != nil {
				return err
			}
			found.Layer = w.Layer
			x.Writers = append(x.Writers, found)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	x.Verdict = x.judge(m.Spec)
	return x, nil
}

func meanOfRows(ctx context.Context, t *gguf.Tensor) (WriterMean, error) {
	it := itemOf(t)
	_, d := it.shape()
	rows, err := it.rowTotals(ctx, func(int) {})
	w := newWriterMean(t, d)
	w.share(rows, d)
	return w, err
}

func meanOfColumns(ctx context.Context, l *arch.Linear) (WriterMean, error) {
	step := Step{Linear: l, Groups: 1}
	lo, hi, groups := step.span()
	d := (hi - lo) / groups
	var all []tally
	for g := range groups {
		found, err := itemOf(l.W).columns(ctx, lo+g*d, lo+(g+1)*d, func(int) {})
		if err != nil {
			return WriterMean{}, err
		}
		all = append(all, found...)
	}
	w := newWriterMean(l.W, d)
	w.share(all, d)
	if l.B != nil {
		b, err := l.B.Float32s()
		if err != nil {
			return w, fmt.Errorf("fold: %w", err)
		}
		bias := newWriterMean(l.B, l.Rows)
		bias.share([]tally{total(b[l.BFrom:][:l.Rows])}, l.Rows)
		w.Centered = w.Centered && bias.Centered
	}
	return w, nil
}

func newWriterMean(t *gguf.Tensor, d int) WriterMean {
	return WriterMean{Tensor: t.Name, Layer: -1, Type: t.Type.String(), Chance: 1 / float64(d)}
}

// share sets the share of vectors of d values that lies along the uniform vector. Storing
// a centered vector with a relative error e leaves e^2 of what chance would give.
func (w *WriterMean) share(vectors []tally, d int) {
	var along, energy float64
	for _, t := range vectors {
		along += t.sum * t.sum / float64(d)
		energy += t.square
	}
	if energy > 0 {
		w.Share = along / energy
	}
	t, _ := quant.ParseType(w.Type)
	const sums = 1e-3 // of pipelines that center in half precision
	e := max(storageError(t), sums)
	w.Centered = w.Share <= 2*e*e*w.Chance
}

// storageError is the root mean square error of storing normal values in a type, relative to
// theirs; 0 where that cannot be tried.
func storageError(t quant.Type) float64 {
	f, ok := t.Format()
	if !ok || !t.CanEncode() {
		return 0
	}
	const n = 4096 // a multiple of every block
	rng := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	b := make([]byte, n/f.Items*f.Bytes)
	if quant.Encode(b, t, x) != nil || quant.Decode(y, t, b) != nil {
		return 0
	}
	var wrong, all float64
	for i, v := range x {
		d := float64(y[i] - v)
		wrong, all = wrong+d*d, all+float64(v)*float64(v)
	}
	return math.Sqrt(wrong / all)
}

// judge says what the means tell.
func (x *Examination) judge(s *arch.Spec) string {
	var centered, not []string
	low, energy, chance := 0, 0.0, 0.0
	for _, w := range x.Writers {
		if w.Centered {
			centered = append(centered, w.Tensor)
		} else {
			not = append(not, w.Tensor)
		}
		if w.Share < belowChance*w.Chance {
			low++
		}
		energy, chance = energy+w.Share, chance+w.Chance
	}
	all, some := len(not) == 0, len(centered) > 0
	low = low - len(centered)
	times := fmt.Sprintf("%.2g of what chance would give", energy/chance)
	layerNorm := s.Norm == arch.LayerNorm
	switch {
	case len(x.Writers) == 0 || s.Form == arch.PostNorm:
		return "Its norms follow the sums, and the stream is what they write: the means of its matrices say nothing of it."
	case s.TrainedLayerNorm && all:
		return s.Name + " was trained with LayerNorm and runs RMSNorm; its writers are centered, so that both are the same function."
	case s.TrainedLayerNorm:
		return fmt.Sprintf("%s was trained with LayerNorm and runs RMSNorm, and %s not centered: it runs as another function than the one that was trained, which a fold mends.", s.Name, areTensors(not))
	case layerNorm && all:
		return "LayerNorm, and all that writes its stream is centered: it is folded, and RMSNorm in place of LayerNorm computes the same."
	case layerNorm && x.Requantized:
		return "LayerNorm, folded and encoded in blocks once more, which leaves what writes its stream " + times + " along the uniform vector: RMSNorm in place of LayerNorm is near, and not exact."
	case layerNorm && some && x.SaysFolded:
		return fmt.Sprintf("It says that it is folded, and is not: %s not centered. RMSNorm in place of LayerNorm is another function.", areTensors(not))
	case layerNorm && some:
		return fmt.Sprintf("LayerNorm, and a part of what writes its stream is centered (%s), another part is not (%s): a fold that was left half done. LayerNorm computes the same; RMSNorm in its place does not.", names(centered), names(not))
	case layerNorm && x.SaysFolded:
		return "It says that it is folded, and nothing that writes its stream is centered. RMSNorm in place of LayerNorm is another function."
	case layerNorm:
		return "LayerNorm, not folded: what writes its stream has " + times + " along the uniform vector."
	case all && x.SaysFolded:
		return "RMSNorm, re-expressed from a LayerNorm model: all that writes its stream is centered, as the fold leaves it."
	case all:
		return "RMSNorm, and all that writes its stream is centered, which no training with RMSNorm leads to: a LayerNorm model was folded into it, or the weights of an RMSNorm model were centered, which makes them another model."
	case some:
		return fmt.Sprintf("RMSNorm, and %s centered though no RMSNorm asks for that, while %s not: a step for LayerNorm models was applied, and this is not the model that was trained.", areTensors(centered), areTensors(not))
	case 2*low > len(x.Writers):
		return "RMSNorm, and what writes its stream has " + times + " along the uniform vector: training with LayerNorm leaves that, training with RMSNorm does not. Was the mean's removal forgotten?"
	}
	return "RMSNorm as trained: what writes its stream has " + times + " along the uniform vector."
}

// areTensors names one tensor or several, with the verb.
func areTensors(list []string) string {
	if len(list) == 1 {
		return list[0] + " is"
	}
	return names(list) + " are"
}

// names are those of a list, of a long one the first and the number.
func names(list []string) string {
	const most = 3
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
