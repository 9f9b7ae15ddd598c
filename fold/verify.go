package fold

import (
	"context"
	"fmt"
	"math"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// A Provenance holds the keys of a folded file under "normswap.", which name
// its source. They prove nothing: [Verify] measures.
type Provenance struct {
	Version      string  // of these keys
	Level        string  // "mean", or "mean+gain" if gain and bias were folded too, where that could be; "readers" of a fold of readers
	SourceNorm   string  // what the model was trained with
	SourceArch   string  // differs from the file's in exports
	SourceSHA256 string  // "" if it was not noted
	LargestMean  float64 // the largest |mean| that storing the writers left
	Requantized  bool    // changed weights were stored in blocks: not centred to rounding
}

// ReadProvenance reads the keys of a file that says it is folded. It returns
// nil if the file does not say so.
func ReadProvenance(m *gguf.Meta) (*Provenance, error) {
	if _, says := m.Lookup(keyVersion); !says {
		return nil, nil
	}
	var p Provenance
	var err error
	for key, to := range map[string]*string{
		keyVersion: &p.Version, keyLevel: &p.Level, keySourceNorm: &p.SourceNorm,
		keySourceArch: &p.SourceArch, keySourceSHA256: &p.SourceSHA256,
	} {
		if *to, err = gguf.GetOr(m, key, ""); err != nil {
			return nil, fmt.Errorf("fold: %w", err)
		}
	}
	if p.LargestMean, err = gguf.GetOr(m, keyLargestMean, 0.0); err != nil {
		return nil, fmt.Errorf("fold: %w", err)
	}
	if p.Requantized, err = gguf.GetOr(m, keyRequantized, false); err != nil {
		return nil, fmt.Errorf("fold: %w", err)
	}
	return &p, nil
}

// NotCentered tells that what a tensor writes has a mean.
type NotCentered struct {
	Tensor string
	Vector string  // such as "column 5"
	Mean   float64 // its mean
	Bound  float64 // the largest |mean| that rounding leaves
}

func (e *NotCentered) Error() string {
	return fmt.Sprintf("fold: not folded: %s of %s has the mean %.3g, and rounding leaves at most %.2g", e.Vector, e.Tensor, e.Mean, e.Bound)
}

// Verify measures whether the LayerNorm model m of the file f is folded as it
// is stored: whether all that its plan centres has no mean but that of
// rounding. If so it returns the plan, and the norms of its Swap steps may run
// as RMSNorm, with the gain, bias and epsilon of the file; those that it keeps
// may not. No key of the file is looked at.
//
// It is a [*NotCentered] if the model is not folded, and a [*Refusal] or
// [ErrNothing] if no file of the architecture can be. Weights that were
// quantised after centring have a mean again, and are not centred.
//
// A value stored with unit roundoff u is off by u times its size at most
// (Higham 2002, theorem 2.3), so that the mean of centred values as they are
// stored is at most u times the mean of their sizes.
func Verify(ctx context.Context, f *gguf.File, m *arch.Model) (*Plan, error) {
	if err := RefuseFile(m.Spec); err != nil {
		return nil, err
	}
	plan, err := New(m)
	if err != nil {
		return nil, err
	}
	err = f.Guard(func() error {
		for i := range plan.Steps {
			if err := plan.Steps[i].verify(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return plan, nil
}

// verify measures what the step would centre.
func (s *Step) verify(ctx context.Context) error {
	s.Measured = new(Means)
	switch s.Action {
	case CenterRows:
		return s.verifyRows(ctx)
	case CenterColumns:
		return s.verifyColumns(ctx)
	}
	s.Measured = nil
	return nil
}

// check adds the mean of n values to what was measured. It is an error if it
// is more than rounding leaves.
func (s *Step) check(t tally, n int, of *gguf.Tensor, format string, args ...any) error {
	m := t.sum / float64(n)
	s.Measured.Add(m)
	// Centred in float32, then stored; and half the smallest number.
	u, least := roundoff(of.Type)
	if bound := (u+0x1p-24)*t.size/float64(n) + least/2; !(math.Abs(m) <= bound) {
		return &NotCentered{of.Name, fmt.Sprintf(format, args...), m, bound}
	}
	return nil
}

// roundoff returns the unit roundoff of a float type and its smallest number.
// Blocks have none.
func roundoff(t quant.Type) (u, least float64) {
	switch t {
	case quant.F16:
		return 0x1p-11, 0x1p-24
	case quant.BF16:
		return 0x1p-8, 0x1p-133
	case quant.F32:
		return 0x1p-24, 0x1p-149
	}
	return 0, 0
}

func (s *Step) verifyRows(ctx context.Context) error {
	it := itemOf(s.Rows)
	_, cols := it.shape()
	found, err := it.rowTotals(ctx, func(int) {})
	if err != nil {
		return err
	}
	for i, t := range found {
		if err := s.check(t, cols, s.Rows, "row %d", i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Step) verifyColumns(ctx context.Context) error {
	l := s.Linear
	lo, hi, groups := s.span()
	n := (hi - lo) / groups
	for g := range groups {
		found, err := itemOf(l.W).columns(ctx, lo+g*n, lo+(g+1)*n, func(int) {})
		if err != nil {
			return err
		}
		for j, t := range found {
			if err := s.check(t, n, l.W, "column %d", j); err != nil {
				return err
			}
		}
	}
	if l.B == nil {
		return nil
	}
	b, err := l.B.Float32s()
	if err != nil {
		return fmt.Errorf("fold: %w", err)
	}
	n = l.Rows / s.Groups
	for g := range s.Groups {
		if err := s.check(total(b[l.BFrom+g*n:][:n]), n, l.B, "part %d", g); err != nil {
			return err
		}
	}
	return nil
}

// itemOf describes a stored tensor.
func itemOf(t *gguf.Tensor) *item {
	return &item{info: gguf.TensorInfo{Name: t.Name, Type: t.Type, Dims: t.Dims}, from: t}
}
