package llamacpp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/ops"
)

// Modes are the names that [Model.Swap] takes.
//
//   - native: what llama.cpp computes.
//   - rms-naive: x / sqrt(mean(x^2) + eps) in the place of LayerNorm.
//   - rms-readers: the same without its mean, (x - mean(x)) / sqrt(mean(x^2) + eps):
//     what readers get whose rows have no mean along the gain.
//   - rms-folded: rms-naive in a file whose writers are measured to have no mean:
//     the same function.
//   - layer: (x - mean(x)) / sqrt(var(x) + eps) in the place of RMSNorm.
//   - fixed: (x - mean(x)) / s with the site's mean of sqrt(var(x) + eps) over a
//     text ([Model.Calibrate]) for s; position 0 stays native.
var Modes = []string{"native", "rms-naive", "rms-readers", "rms-folded", "layer", "fixed"}

// Swap returns a hook for a mode, or for a list of modes by site, such as
// "ln1=rms-naive,output_norm=fixed". On the left are names of sites, patterns
// (blk.*.attn_norm) or roles of package arch; later items win. Sites that a mode
// does not apply to, such as RMSNorm in rms-naive, are left as they are; it is an
// error if there is no other.
func (m *Model) Swap(recipe string) (*Hook, error) {
	chosen := map[*Site]Standardize{}
	for item := range strings.SplitSeq(recipe, ",") {
		pattern, mode, found := strings.Cut(strings.TrimSpace(item), "=")
		if !found {
			pattern, mode = "*", pattern
		}
		if !slices.Contains(Modes, mode) {
			return nil, fmt.Errorf("llamacpp: no norm mode %q; there are %s", mode, strings.Join(Modes, ", "))
		}
		if mode == "rms-folded" {
			if err := m.verify(); err != nil {
				return nil, fmt.Errorf("llamacpp: rms-folded: %w", err)
			}
		}
		matched, applied := false, false
		for _, s := range m.sites {
			match, err := path.Match(pattern, s.Name)
			if err != nil {
				return nil, fmt.Errorf("llamacpp: pattern %q: %w", pattern, err)
			}
			if !match && pattern != string(s.Role) {
				continue
			}
			matched = true
			f, err := s.mode(mode)
			if err != nil {
				return nil, fmt.Errorf("llamacpp: %w", err)
			}
			applied = applied || f != nil
			if f != nil || mode == "native" {
				chosen[s] = f
			}
		}
		switch {
		case !matched:
			return nil, fmt.Errorf("llamacpp: the model has no norm %q", pattern)
		case !applied && mode != "native":
			return nil, fmt.Errorf("llamacpp: %s changes none of the model's norms %q", mode, pattern)
		}
	}
	return &Hook{Replace: func(s *Site) Standardize { return chosen[s] }}, nil
}

// mode returns what a mode puts in the place of a norm; nil: nothing.
func (s *Site) mode(name string) (Standardize, error) {
	rms, layer := ops.Norm{Eps: s.Eps}, ops.Norm{Eps: s.Eps, Center: true}
	if name == "layer" && !s.Center {
		return func(dst, x []float32, _ int) { layer.Apply(dst, x) }, nil
	}
	if !s.Center {
		return nil, nil // an RMSNorm, which the other modes leave
	}
	switch name {
	case "rms-naive", "rms-folded":
		return func(dst, x []float32, _ int) { rms.Apply(dst, x) }, nil
	case "rms-readers":
		return func(dst, x []float32, _ int) {
			mean, variance := moments(x)
			scale := 1 / math.Sqrt(variance+mean*mean+float64(s.Eps))
			center(dst, x, mean, scale)
		}, nil
	case "fixed":
		if s.sigma == 0 {
			return nil, fmt.Errorf("fixed: %s is not calibrated", s.Name)
		}
		return func(dst, x []float32, pos int) {
			if pos == 0 {
				layer.Apply(dst, x)
				return
			}
			mean, _ := moments(x)
			center(dst, x, mean, 1/s.sigma)
		}, nil
	}
	return nil, nil
}

// Calibrate measures the mean of sqrt(var(x) + eps) at every site over texts,
// each a sequence of tokens that fits the context, without their first tokens.
func (m *Model) Calibrate(ctx context.Context, texts [][]int32) error {
	sum, n := map[*Site]float64{}, map[*Site]float64{}
	tap := &Hook{Tap: func(v Vectors) {
		row := v.Site.Width
		for i := row * v.Site.Groups; i < len(v.In); i += row {
			_, variance := moments(v.In[i : i+row])
			sum[v.Site] += math.Sqrt(variance + float64(v.Site.Eps))
			n[v.Site]++
		}
	}}
	for _, text := range texts {
		m.Reset()
		if _, err := m.Eval(ctx, text, tap); err != nil {
			return err
		}
	}
	m.Reset()
	if len(n) == 0 {
		return errors.New("llamacpp: a text to calibrate with has two tokens or more")
	}
	for s := range n {
		s.sigma = sum[s] / n[s]
	}
	return nil
}

// verify returns an error unless the file's writers are folded, and all of its
// norms may run as RMSNorm.
func (m *Model) verify() error {
	known, err := arch.Load(m.File)
	if err != nil {
		return err
	}
	plan, err := fold.Verify(context.Background(), m.File, known)
	if err != nil {
		return err
	}
	if len(plan.Kept) > 0 {
		return fmt.Errorf("%s stays LayerNorm: %s", plan.Kept[0].Norm.Site, plan.Kept[0].Reason)
	}
	return nil
}

// moments returns the mean and the biased variance of x.
func moments(x []float32) (mean, variance float64) {
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		d := float64(v) - mean
		variance += d * d
	}
	return mean, variance / float64(len(x))
}

// center writes (x - mean) * scale.
func center(dst, x []float32, mean, scale float64) {
	for i, v := range x {
		dst[i] = float32((float64(v) - mean) * scale)
	}
}
