package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/normswap/normswap/arch"
	forms "github.com/normswap/normswap/norm"
	"github.com/normswap/normswap/ops"
)

// A NormMode says what becomes of the norms of a model: a form of package norm for
// all of them, such as "rms-naive" or "prms:25", or forms for some, such as
// "ln1=rms-folded,final=layer" ([norm.ParseRules]). Forms with calibrated constants
// come as a [norm.Recipe].
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
	// RMSReaders folds the mean removal of LayerNorm into the matrices that read
	// a norm and runs RMSNorm: what is left is a scale, sin(theta), for each token.
	RMSReaders NormMode = "rms-readers"
	// Centered is the reverse experiment: it adds the removal of the mean to the
	// norms of an RMSNorm model, which makes them LayerNorms.
	Centered NormMode = "layer"
)

// NormModes are the modes that need neither a number nor calibration, in the order of
// their mention.
var NormModes = []NormMode{Native, RMSFolded, RMSNaive, RMSReaders, Centered}

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

// NormPlaces describes the norms of a model to package norm, in the order of
// evaluation.
func NormPlaces(m *arch.Model) []forms.Place {
	var places []forms.Place
	for _, n := range m.Norms() {
		places = append(places, forms.Place{Site: n.Site, Role: string(n.Role), Layer: n.Layer})
	}
	return places
}

// choice is what becomes of one norm.
type choice struct {
	form      forms.Form
	constants forms.Constants
}

// choices returns what becomes of each norm of a model.
func (o *Options) choices(m *arch.Model) (map[*arch.Norm]choice, error) {
	norms := m.Norms()
	all := map[*arch.Norm]choice{}
	if r := o.Recipe; r != nil {
		if o.Norm != "" && o.Norm != Native || o.NormSites != nil {
			return nil, fmt.Errorf("engine: a recipe says what becomes of every norm: it goes with no other mode and no list of norms")
		}
		sites := map[string]*arch.Norm{}
		for _, n := range norms {
			sites[n.Site] = n
			all[n] = choice{form: forms.Native()}
		}
		for _, c := range r.Sites {
			n := sites[c.Site]
			if n == nil {
				return nil, fmt.Errorf("engine: the recipe is for a norm %s, which the model does not have", c.Site)
			}
			form, err := c.Form()
			if err != nil {
				return nil, fmt.Errorf("engine: %w", err)
			}
			all[n] = choice{form, c.Constants}
		}
		return all, nil
	}
	rules, err := forms.ParseRules(string(cmp.Or(o.Norm, Native)))
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	if o.NormSites != nil && slices.ContainsFunc(rules, func(r forms.Rule) bool {
		return r.Where != "" || r.Form.Kind.Name == string(Native) || r.Form.Kind.Name == string(RMSFolded)
	}) {
		return nil, fmt.Errorf("engine: single norms can be swapped in modes such as %s and %s, not in %s", RMSNaive, Centered, cmp.Or(o.Norm, Native))
	}
	resolved, err := forms.Resolve(rules, NormPlaces(m))
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	for i, n := range norms {
		all[n] = choice{form: resolved[i]}
		if o.NormSites != nil && !o.NormSites(n) {
			all[n] = choice{form: forms.Native()}
		}
	}
	return all, nil
}

// chooseNorms fills m.choices, and says where that is nothing at all.
func (m *Model) chooseNorms() (err error) {
	a := m.Arch
	if m.choices, err = m.opts.choices(a); err != nil {
		return err
	}
	var unread []string // norms that no matrix reads, whose readers cannot be folded
	readers, swapped := 0, false
	for _, n := range a.Norms() {
		c := m.choices[n]
		if c.form.Kind.Readers {
			readers++
			if len(a.Readers(n)) == 0 {
				unread = append(unread, n.Site)
				m.choices[n] = choice{form: forms.Native()}
				continue
			}
		}
		name := NormMode(c.form.Kind.Name)
		same := name == Native || n.Kind == arch.RMSNorm && (name == RMSNaive || name == RMSFolded || name == RMSReaders) || n.Kind == arch.LayerNorm && name == Centered
		swapped = swapped || !same
		m.folded = m.folded || name == RMSFolded
	}
	mode := cmp.Or(m.opts.Norm, Native)
	switch {
	case len(unread) > 0 && len(unread) == readers:
		return fmt.Errorf("engine: %s has no norm whose output matrices read, and no readers to fold for %s", a.Spec.Name, RMSReaders)
	case len(unread) > 0 && (swapped || m.opts.NormSites != nil):
		m.remark("%s leaves norms as trained whose output no matrix reads: %s", RMSReaders, strings.Join(unread, ", "))
	}
	switch {
	case swapped || mode == Native || mode == RMSFolded || m.opts.NormSites != nil:
	case a.Spec.Norm == arch.RMSNorm:
		m.remark("%s changes nothing: every norm of %s is an RMSNorm already", mode, a.Spec.Name)
	default:
		m.remark("%s changes nothing: every norm of %s is a LayerNorm already", mode, a.Spec.Name)
	}
	return nil
}

// replacement is what the options make of a norm.
func (m *Model) replacement(site *arch.Norm, n *ops.Norm) (Norm, error) {
	changed := Norm(n)
	if c := m.choices[site]; c.form.Kind.Name != string(RMSFolded) { // applyFold does that
		var err error
		if changed, err = c.form.Make(n, c.constants); err != nil {
			return nil, fmt.Errorf("%s: %w", site.Site, err)
		}
	}
	if built, ok := changed.(*ops.Norm); ok && m.opts.ReplaceNorm != nil {
		return m.opts.ReplaceNorm(site, built), nil
	}
	return changed, nil
}
