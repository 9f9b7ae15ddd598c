package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/ops"
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
	// Centered is the reverse experiment: it adds the removal of the mean to the
	// norms of an RMSNorm model, which makes them LayerNorms.
	Centered NormMode = "layer"
)

// NormModes are the modes in the order of their mention.
var NormModes = []NormMode{Native, RMSFolded, RMSNaive, Centered}

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

// A NormReplacer replaces a norm of the graph. It gets the native one, as
// [Options].Norm left it, and returns what takes its place, or the same. A load
// calls it once for each norm, or for each head where heads have gains of their
// own. The norm modes are NormReplacers too, made by Options.
type NormReplacer func(site *arch.Norm, native *ops.Norm) Norm

// replacement returns what the mode makes of each norm, and a note when that
// is nothing at all.
func (o *Options) replacement(m *arch.Model) (replace NormReplacer, note string, err error) {
	same := func(_ *arch.Norm, n *ops.Norm) Norm { return n }
	center := func(on bool) NormReplacer {
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
		return nil, "", fmt.Errorf("engine: single norms can be swapped in the modes %s and %s, not in %s", RMSNaive, Centered, cmp.Or(o.Norm, Native))
	}
	switch o.Norm {
	case "", Native:
		replace = same
	case RMSFolded:
		replace = same // applyFold does the rest
	case RMSNaive:
		replace = center(false)
		if m.Spec.Norm == arch.RMSNorm {
			note = fmt.Sprintf("%s changes nothing: every norm of %s is an RMSNorm already", RMSNaive, m.Spec.Name)
		}
	case Centered:
		replace = center(true)
		if m.Spec.Norm == arch.LayerNorm {
			note = fmt.Sprintf("%s changes nothing: every norm of %s is a LayerNorm already", Centered, m.Spec.Name)
		}
	default:
		_, err = ParseNormMode(string(o.Norm))
		return nil, "", err
	}
	if o.ReplaceNorm != nil {
		mode := replace
		replace = func(site *arch.Norm, n *ops.Norm) Norm {
			changed := mode(site, n)
			if built, ok := changed.(*ops.Norm); ok {
				return o.ReplaceNorm(site, built)
			}
			return changed
		}
	}
	return replace, note, nil
}
