package fold

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// A Strategy says how changed weights that were quantised are stored.
type Strategy string

const (
	// Dequant stores changed weights in a float type: that of the source, or
	// F16 where the source is quantised.
	Dequant Strategy = "dequant"
	// Requant stores them in the type of the source, which adds about one
	// more quantisation error. It is never exact.
	Requant Strategy = "requant"
)

// WriteOptions say what file a fold becomes.
type WriteOptions struct {
	Strategy Strategy // "" is Dequant
	// Type, if not nil, is the type of every matrix of the file.
	Type *quant.Type
	// Gain also folds the gain and bias of the norms into the matrices that
	// read them, where those can take them.
	Gain bool
	// Export names the architecture of the file: "" for the original,
	// "auto" for the RMSNorm architecture that runs it exactly if there is
	// one, or the name of that.
	Export string
	// SourceSHA256 is noted in the file, if not empty.
	SourceSHA256 string
}

// An Output is a file that a fold becomes, ready to be written.
type Output struct {
	Meta   *gguf.Meta
	Plan   *Plan
	Report Report

	model *arch.Model
	items []*item
	byT   map[*gguf.Tensor]*item
	head  *item // the head's own, where a tied one was given a tensor
	opts  WriteOptions
}

// A Report tells what the file is.
type Report struct {
	Arch        string    `json:"architecture"`
	Source      string    `json:"source_architecture"`
	Steps       []string  `json:"steps"`
	Changed     []Changed `json:"tensors"`
	LargestMean float64   `json:"largest_mean_left"` // |mean| over outputs of the stored writers
	Requantised bool      `json:"requantised"`
	GainKept    []string  `json:"gain_kept,omitempty"` // norms whose gain or bias could not be folded, with the reason
	Bytes       int64     `json:"bytes"`
}

// Prepare works out the file that folding f, which m was loaded from,
// becomes. It reads the weights that are changed; nothing is written yet.
func Prepare(f *gguf.File, m *arch.Model, o WriteOptions) (*Output, error) {
	if o.Strategy == "" {
		o.Strategy = Dequant
	}
	if o.Strategy != Dequant && o.Strategy != Requant {
		return nil, fmt.Errorf("fold: no strategy %q; there are %s and %s", o.Strategy, Dequant, Requant)
	}
	route, err := findRoute(m, o.Export)
	if err != nil {
		return nil, err
	}
	plan, err := New(m)
	if errors.Is(err, ErrNothing) && route != nil && route.repairs {
		plan, err = centreOnly(m), nil
	}
	if err != nil {
		return nil, err
	}
	for _, s := range plan.Steps {
		if s.Action == CentreOutput {
			return nil, &Refusal{m.Spec.Name, fmt.Sprintf("%s writes the residual stream, and no file can say that its output is to be centred; the engine folds it at run time", s.Target)}
		}
	}
	meta := f.Meta.Clone()
	out := &Output{Meta: &meta, Plan: plan, model: m, byT: map[*gguf.Tensor]*item{}, opts: o}
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if err := t.Err(); err != nil {
			return nil, fmt.Errorf("fold: %w", err)
		}
		it := &item{info: gguf.TensorInfo{Name: t.Name, Type: t.Type, Dims: t.Dims}, from: t}
		out.items = append(out.items, it)
		out.byT[t] = it
	}
	if err := out.keepHead(route); err != nil {
		return nil, err
	}
	if o.Gain {
		if err := out.foldGain(); err != nil {
			return nil, err
		}
	}
	centred, err := out.centre()
	if err != nil {
		return nil, err
	}
	if route != nil {
		if err := route.apply(out); err != nil {
			return nil, err
		}
	}
	if err := out.chooseTypes(); err != nil {
		return nil, err
	}
	if err := out.measure(centred); err != nil {
		return nil, err
	}
	return out, out.describe(route)
}

// keepHead gives a tied head a tensor of its own, with the embedding as it
// was: from the centred one every logit would be off by rowmean(E_v)*sum(z).
// After a final norm without gain and bias z has no mean, and the head may
// stay tied.
func (o *Output) keepHead(r *route) error {
	m := o.model
	bare := m.FinalNorm.Gain == nil && m.FinalNorm.Bias == nil
	if !m.Tied || bare || r != nil && r.ownHead {
		return nil
	}
	if m.Spec.Head == arch.Absent {
		return &Refusal{m.Spec.Name, "its head is the embedding, the architecture has no tensor for a head of its own, and a centred embedding would give other logits; see --export"}
	}
	o.head = o.byT[m.Embed].clone("output.weight")
	o.items = append(o.items, o.head)
	return nil
}

// centred is where the means of a stored tensor should be nought.
type centred struct {
	it     *item
	ranges [][2]int
	byRow  bool
}

// centre adds the edits that the plan asks for.
func (o *Output) centre() ([]centred, error) {
	var all []centred
	for i := range o.Plan.Steps {
		s := &o.Plan.Steps[i]
		switch s.Action {
		case CentreRows:
			it := o.byT[s.Rows]
			s.Measured = new(Means)
			if err := it.centreRows(s.Measured); err != nil {
				return nil, err
			}
			all = append(all, centred{it: it, byRow: true})
		case CentreColumns:
			it := o.byT[s.Linear.W]
			s.Measured = new(Means)
			groups, lo, hi := s.Groups, s.Linear.From, s.Linear.From+s.Linear.Rows
			if rows, _ := it.shape(); len(s.Linear.W.Dims) == 3 { // experts, one after the other
				groups, lo, hi = rows/s.Linear.Rows, 0, rows
			}
			if err := it.centreColumns(lo, hi, groups, s.Measured); err != nil {
				return nil, err
			}
			c := centred{it: it}
			for g := range groups {
				n := (hi - lo) / groups
				c.ranges = append(c.ranges, [2]int{lo + g*n, lo + (g+1)*n})
			}
			all = append(all, c)
			if b, at := o.bias(s.Linear); b != nil {
				if err := b.centreVector(at, at+s.Linear.Rows, s.Groups, s.Measured); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

// chooseTypes decides how each changed matrix is stored.
func (o *Output) chooseTypes() error {
	for _, it := range o.items {
		if len(it.info.Dims) == 1 || strings.HasSuffix(it.info.Name, "ffn_gate_inp.weight") {
			if it.from == nil || !it.verbatim() {
				it.info.Type = quant.F32
			}
			continue
		}
		switch {
		case o.opts.Type != nil && it.info.Name != "position_embd.weight": // which runners read as floats
			it.info.Type = *o.opts.Type
		case it.verbatim() || o.opts.Strategy == Requant:
		case it.info.Type != quant.F32 && it.info.Type != quant.BF16:
			it.info.Type = quant.F16
		}
		f, ok := it.info.Type.Format()
		if !ok || it.info.Dims[0]%f.Items != 0 {
			it.info.Type = quant.F16 // rows that do not fit the blocks
		}
		if !it.verbatim() && !it.info.Type.CanEncode() {
			return fmt.Errorf("fold: tensor %s: cannot encode %s; store it in another type (--type) or as floats (--strategy dequant)", it.info.Name, it.info.Type)
		}
	}
	return nil
}

// measure fills the report with what storing the changed tensors costs.
func (o *Output) measure(all []centred) error {
	check := map[*item]centred{}
	for _, c := range all {
		sum := check[c.it]
		check[c.it] = centred{c.it, append(sum.ranges, c.ranges...), sum.byRow || c.byRow}
	}
	for _, it := range o.items {
		if it.verbatim() {
			continue
		}
		c, left, err := it.measure(check[it].ranges, check[it].byRow)
		if err != nil {
			return err
		}
		o.Report.Changed = append(o.Report.Changed, c)
		o.Report.LargestMean = max(o.Report.LargestMean, left)
		if f, _ := it.info.Type.Format(); f.Items > 1 {
			o.Report.Requantised = true
		}
	}
	return nil
}

// Write writes the file. Progress, if not nil, is told the bytes of weights
// written so far.
func (o *Output) Write(w io.Writer, progress func(done, total int64)) error {
	infos := make([]gguf.TensorInfo, len(o.items))
	for i, it := range o.items {
		infos[i] = it.info
	}
	out, err := gguf.NewWriter(w, 3, o.Meta, infos)
	if err != nil {
		return err
	}
	var done int64
	for _, it := range o.items {
		err := it.write(out, func(n int) {
			done += int64(n)
			if progress != nil {
				progress(done, o.Report.Bytes)
			}
		})
		if err != nil {
			return err
		}
	}
	return out.Close()
}
