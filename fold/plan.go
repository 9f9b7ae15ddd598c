// Package fold turns LayerNorm models into RMSNorm models that compute the
// same function.
//
// Removing the mean of a vector is the projection P = I - (1/d) 1 1'. It is
// linear, and LN(x) = RMS(Px) with the same epsilon, since the variance of x
// is the mean square of Px. If every term that is written to the residual
// stream is centred, the stream is Ph instead of h throughout, and every
// norm that reads it may leave its own mean removal out (Jiang et al.,
// arXiv 2305.14858). What has to be centred is data in package arch, so a
// new architecture gets its fold, or its refusal, without a line here.
//
// [New] plans, for a runner that folds as it loads; [Prepare] and [Output.Write]
// make a folded file; [Verify] tells whether a file is one.
package fold

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
)

// An Action is what a step does.
type Action uint8

const (
	// CenterRows subtracts from every stored row of a table its mean.
	CenterRows Action = iota
	// CenterColumns subtracts from every column of a matrix its mean over the
	// output rows, and from the bias its mean.
	CenterColumns
	// CenterOutput subtracts from what a norm writes its mean; the norm stays
	// what it is.
	CenterOutput
	// CenterStream subtracts from the residual stream its mean, when what reads
	// it without a norm in the first layer has read it.
	CenterStream
	// CenterReader folds gain and bias of a norm into a matrix that reads it, and
	// subtracts from every row of that its mean.
	CenterReader
	// Swap makes a LayerNorm an RMSNorm.
	Swap
)

// A Step is one change to the graph.
type Step struct {
	Action Action
	Target string // tensor name without suffix, or the site of a norm
	Layer  int    // -1 outside the blocks

	Rows   *gguf.Tensor // of CenterRows
	Linear *arch.Linear // of CenterColumns
	Norm   *arch.Norm   // of CenterOutput, CenterReader and Swap
	Groups int          // of CenterColumns: each of this many equal groups of output rows is centred for itself

	Measured *Means // what centring takes away, once it has been measured
}

// Means sums up what centring takes away.
type Means struct {
	Vectors int     // columns or rows, bias included
	Nonzero int     // how many of them have a mean other than 0
	Largest float64 // the largest |mean|
}

// Kept is a LayerNorm that stays one.
type Kept struct {
	Norm   *arch.Norm
	Reason string
}

// A Plan is the ordered list of what turns a model into its RMSNorm form.
type Plan struct {
	Model *arch.Model
	Steps []Step
	Kept  []Kept
}

// ErrNothing tells that a model has no LayerNorm.
var ErrNothing = errors.New("fold: every norm is an RMSNorm already")

// A Refusal tells why a model cannot be folded.
type Refusal struct {
	Arch    string
	Reason  string
	Exports []string // architectures that a folded file may have instead
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("fold: %s cannot be folded: %s", r.Arch, r.Reason)
}

// Refuse returns the reason why no model of an architecture can be folded;
// nil if there is none.
func Refuse(s *arch.Spec) error {
	switch {
	case s.Form == arch.PostNorm:
		return &Refusal{Arch: s.Name, Reason: "its norms follow the residual sums (post-LN): the stream is gain*x + bias, whose mean depends on the token, so no weight can take it away"}
	case s.Norm == arch.RMSNorm:
		return ErrNothing
	}
	return nil
}

// New plans the fold of a model: an error that is [ErrNothing] or a
// [*Refusal] if there is none.
func New(m *arch.Model) (*Plan, error) {
	if err := Refuse(m.Spec); err != nil {
		return nil, err
	}
	bare := m.BareReaders()
	raw := readsRaw(m)
	if len(bare) > 0 && !raw {
		return nil, &Refusal{Arch: m.Spec.Name, Reason: fmt.Sprintf("%s reads the residual stream without a norm before it, and would miss the mean", bare[0].Name)}
	}
	p := &Plan{Model: m}
	writes := map[*arch.Norm]bool{}
	if raw {
		p.Steps = append(p.Steps, Step{Action: CenterStream, Target: bare[0].Name, Layer: 0})
	}
	for _, w := range m.Writers() {
		if raw && w.Layer < 0 {
			if w.Norm != nil {
				p.Kept = append(p.Kept, Kept{w.Norm, "it writes the stream rather than reads it, and the first layer reads that as it is"})
				writes[w.Norm] = true
			}
			continue
		}
		s := Step{Target: w.Name, Layer: w.Layer, Rows: w.Rows, Linear: w.Linear, Norm: w.Norm, Groups: 1}
		switch {
		case w.Rows != nil:
			s.Action = CenterRows
		case w.Linear != nil:
			s.Action = CenterColumns
		default:
			s.Action = CenterOutput
			writes[w.Norm] = true
		}
		p.Steps = append(p.Steps, s)
	}
	for _, n := range m.Norms() {
		projection := m.Projection(n)
		switch {
		case writes[n] && raw:
			continue
		case n == m.ClassNorm:
			p.Kept = append(p.Kept, Kept{n, "it reads what the classification head computes, not the stream"})
			continue
		case writes[n]:
			p.Kept = append(p.Kept, Kept{n, "it writes the stream rather than reads it; its output is centred instead"})
			continue
		case projection != nil && m.Clamp > 0:
			p.Kept = append(p.Kept, Kept{n, fmt.Sprintf("a clamp stands between %s and the norm", projection.Name)})
			continue
		case projection != nil:
			p.Steps = append(p.Steps, Step{Action: CenterColumns, Target: projection.Name, Layer: n.Layer, Linear: projection, Groups: n.Groups})
		}
		p.Steps = append(p.Steps, Step{Action: Swap, Target: n.Site, Layer: n.Layer, Norm: n})
	}
	return p, nil
}

// readers is the plan of a fold of readers, whose steps are known when the weights have
// been seen.
func readers(m *arch.Model) (*Plan, error) {
	p := &Plan{Model: m}
	layerNorm, read := false, false
	for _, n := range m.Norms() {
		if n.Kind != arch.LayerNorm {
			continue
		}
		layerNorm = true
		if reads := n.Residual && len(m.Readers(n)) > 0; reads {
			read = true
		} else {
			p.Kept = append(p.Kept, Kept{n, "what it writes is not read by matrices alone"})
		}
	}
	switch {
	case !layerNorm:
		return nil, ErrNothing
	case !read:
		return nil, &Refusal{Arch: m.Spec.Name, Reason: "it has no norm whose output matrices alone read"}
	}
	return p, nil
}

// readsRaw tells whether what reads the residual stream without a norm is the
// attention of the first layer alone: it reads the embedding, with its mean, and
// all that comes after can do without.
func readsRaw(m *arch.Model) bool {
	if len(m.Blocks) == 0 || m.Blocks[0].AttnNorm != nil || m.Blocks[0].Parallel {
		return false
	}
	b := &m.Blocks[0]
	for _, l := range m.BareReaders() {
		if l != &b.Q && l != &b.K && l != &b.V {
			return false
		}
	}
	return true
}

// centerOnly is the plan that centers the writers of a model whose norms are
// RMSNorms already, though it was trained with LayerNorm.
func centerOnly(m *arch.Model) *Plan {
	p := &Plan{Model: m}
	for _, w := range m.Writers() {
		s := Step{Action: CenterColumns, Target: w.Name, Layer: w.Layer, Rows: w.Rows, Linear: w.Linear, Groups: 1}
		if w.Rows != nil {
			s.Action = CenterRows
		}
		p.Steps = append(p.Steps, s)
	}
	return p
}

// String is the plan in words, a line a step.
func (p *Plan) String() string {
	var b strings.Builder
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "%3d  %s\n", i+1, s)
	}
	if p.Model.Tied {
		fmt.Fprintf(&b, "     the head keeps the embedding as stored\n")
	}
	kept := "stays a LayerNorm"
	if slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Action == CenterReader }) {
		kept = "keeps its gain and bias"
	}
	for _, k := range p.Kept {
		fmt.Fprintf(&b, "     %s %s: %s\n", k.Norm.Site, kept, k.Reason)
	}
	return b.String()
}

func (s Step) String() string {
	found := ""
	if m := s.Measured; m != nil {
		kind := "columns"
		if s.Action == CenterRows {
			kind = "rows"
		}
		found = fmt.Sprintf(": %d of %d %s, largest mean %.3g", m.Nonzero, m.Vectors, kind, m.Largest)
	}
	switch s.Action {
	case CenterRows:
		return fmt.Sprintf("centre %s by rows%s", s.Target, found)
	case CenterColumns:
		if s.Groups > 1 {
			return fmt.Sprintf("centre %s by output rows within each of %d heads%s", s.Target, s.Groups, found)
		}
		return fmt.Sprintf("centre %s by output rows%s", s.Target, found)
	case CenterStream:
		return fmt.Sprintf("centre the stream when %s has read it", s.Target)
	case CenterReader:
		return fmt.Sprintf("fold gain and bias of %s into %s, and centre its rows", s.Norm.Site, s.Target)
	case CenterOutput:
		return fmt.Sprintf("centre what %s writes", s.Target)
	}
	return fmt.Sprintf("%s: LayerNorm becomes RMSNorm", s.Target)
}
