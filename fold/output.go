package fold

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// A Strategy says how changed weights that were quantised are stored.
type Strategy string

const (
	// Dequant stores changed weights in F32 where the source has F32 or a weight
	// is beyond F16, and in F16 elsewhere.
	Dequant Strategy = "dequant"
	// Requant stores them in the type of the source, which adds about one
	// more quantisation error. It is never exact.
	Requant Strategy = "requant"
)

// WriteOptions say what file a fold becomes.
type WriteOptions struct {
	Strategy Strategy // "" is Dequant
	// Type, if not nil, is the type of every matrix of the file, but for routers,
	// learned positions and gains, which become F32 if that is it.
	Type *quant.Type
	// Gain also folds the gain and bias of the norms into the matrices that
	// read them, where those can take them.
	Gain bool
	// Readers folds the gain and bias of LayerNorms into the matrices that read them,
	// where those can take them, and takes from each row of these its mean; the
	// writers of the stream stay as they are. LayerNorm computes what it did, and
	// RMSNorm in its place differs by a scale for each token, and by no offset. It
	// goes with no Gain and no Export.
	Readers bool
	// Export names the architecture of the file: "" for the original,
	// "auto" for the RMSNorm architecture that runs it exactly if there is
	// one, or the name of that.
	Export string
	// SourceSHA256 is noted in the file, if not empty.
	SourceSHA256 string
	// Progress, if not nil, is called with the number of weights that have been
	// read, and of all. Several goroutines call it, one at a time.
	Progress func(done, total int64)
}

// An Output is a file that a fold becomes, ready to be written.
type Output struct {
	meta   *gguf.Meta
	Plan   *Plan // with the means that are taken away
	Report Report

	source *gguf.File
	model  *arch.Model
	items  []*item
	byT    map[*gguf.Tensor]*item
	head   *item // the head's own, where a tied one was given a tensor
	opts   WriteOptions

	mu   sync.Mutex
	done int64 // weights that have been read, of all
	all  int64
}

// A Report tells what the file is.
type Report struct {
	Arch        string   `json:"architecture"`
	Source      string   `json:"source_architecture"`
	SourceHash  string   `json:"source_sha256,omitempty"`
	Strategy    Strategy `json:"strategy"`
	Steps       []string `json:"steps"`
	Requantized bool     `json:"requantised"`
	GainKept    []string `json:"gain_kept,omitempty"`  // norms whose gain or bias could not be folded, with the reason
	BeyondF16   []string `json:"beyond_f16,omitempty"` // tensors that are F32 because F16 cannot hold a weight
	Bytes       int64    `json:"tensor_bytes"`

	// What storing the changed tensors costs, once they have been measured.
	Changed     []Changed `json:"tensors,omitempty"`
	LargestMean float64   `json:"largest_mean_left"` // |mean| over outputs of the stored writers
}

// Prepare works out the file that folding f, which m was loaded from,
// becomes. It reads the writers of the residual stream; nothing is written
// yet. Here and in the methods of the output it is an error if the file shrinks
// while it is read.
func Prepare(ctx context.Context, f *gguf.File, m *arch.Model, o WriteOptions) (out *Output, err error) {
	err = f.Guard(func() error {
		out, err = prepare(ctx, f, m, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Check returns the error that [Prepare] would return for what the metadata of
// a model and the options ask for. It reads no weights.
func Check(m *arch.Model, o WriteOptions) error {
	_, _, err := o.check(m)
	return err
}

// check returns the plan, and the architecture to become; nil is the original.
func (o *WriteOptions) check(m *arch.Model) (*Plan, *arch.Spec, error) {
	if o.Strategy != "" && o.Strategy != Dequant && o.Strategy != Requant {
		return nil, nil, fmt.Errorf("fold: no strategy %q; there are %s and %s", o.Strategy, Dequant, Requant)
	}
	if o.Readers {
		if o.Gain || o.Export != "" {
			return nil, nil, errors.New("fold: the fold of readers has the gains in it, and is no other architecture")
		}
		plan, err := readers(m)
		return plan, nil, err
	}
	to, err := target(m, o.Export)
	if err != nil {
		return nil, nil, err
	}
	plan, err := New(m)
	if errors.Is(err, ErrNothing) && to == m.Spec {
		plan, err = centerOnly(m), nil
	}
	if err != nil {
		return nil, nil, err
	}
	return plan, to, refuseFile(m.Spec, to)
}

func prepare(ctx context.Context, f *gguf.File, m *arch.Model, o WriteOptions) (*Output, error) {
	plan, to, err := o.check(m)
	if err != nil {
		return nil, err
	}
	o.Strategy = cmp.Or(o.Strategy, Dequant)
	meta := f.Meta.Clone()
	out := &Output{meta: &meta, Plan: plan, source: f, model: m, byT: map[*gguf.Tensor]*item{}, opts: o}
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if err := t.Err(); err != nil {
			return nil, fmt.Errorf("fold: %w", err)
		}
		it := itemOf(t)
		out.items = append(out.items, it)
		out.byT[t] = it
	}
	out.keepTypes()
	out.keepHead()
	if o.Gain || o.Readers {
		if err := out.foldGain(ctx); err != nil {
			return nil, err
		}
	}
	if o.Readers && len(plan.Steps) == 0 {
		return nil, &Refusal{Arch: m.Spec.Name, Reason: "no matrices behind its norms can take their gain and bias: " + strings.Join(out.Report.GainKept, "; ")}
	}
	if err := out.center(ctx); err != nil {
		return nil, err
	}
	if to != nil && to != m.Spec {
		if err := out.become(to); err != nil {
			return nil, err
		}
	}
	if err := out.chooseTypes(ctx); err != nil {
		return nil, err
	}
	return out, out.describe(to)
}

// RefuseFile returns the reason why no folded model of an architecture can be
// written to a file under its own name; nil if there is none. The engine can
// fold some of these as it runs them, and some have a route to another name.
func RefuseFile(s *arch.Spec) error {
	if err := Refuse(s); err != nil {
		return err
	}
	return refuseFile(s, nil)
}

// refuseFile returns why a fold of s cannot be written under the name of to;
// nil is its own name.
func refuseFile(s, to *arch.Spec) error {
	bare := s.FinalNorm.Gain == arch.Absent && s.FinalNorm.Bias == arch.Absent
	switch {
	case s.EmbedNorm.Name != "":
		return &Refusal{Arch: s.Name, Reason: fmt.Sprintf("%s writes the residual stream, and no file can say that its output is to be centred; the engine folds it as it runs", s.EmbedNorm.Name)}
	case s.Norm == arch.LayerNorm && s.Head == arch.Absent && !bare && to == nil:
		return &Refusal{Arch: s.Name, Reason: "its head is the embedding, the architecture has no tensor for a head of its own, and a centred embedding would give other logits", Exports: s.Exports}
	}
	return nil
}

// keepHead gives a tied head a tensor of its own, with the embedding as it
// was: from the centred one every logit would be off by rowmean(E_v)*sum(z).
// After a final norm without gain and bias z has no mean, and the head may
// stay tied.
func (o *Output) keepHead() {
	m := o.model
	bare := m.FinalNorm.Gain == nil && m.FinalNorm.Bias == nil
	switch {
	case !m.Tied || bare && !o.opts.Readers:
		return
	case o.opts.Readers && m.Spec.Head == arch.Absent: // foldGain leaves the final norm
		return
	}
	embed := o.byT[m.Embed]
	o.head = embed.clone(arch.WeightName(arch.Head.Name(-1)))
	embed.info.Name = arch.WeightName(arch.NameEmbed) // which may have had the name of the head
	o.items = append(o.items, o.head)
}

// step returns the function that counts rows of it that have been read.
func (o *Output) step(it *item) func(rows int) {
	_, cols := it.shape()
	return func(rows int) {
		if o.opts.Progress == nil {
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.done += int64(rows) * int64(cols)
		o.opts.Progress(o.done, o.all)
	}
}

// weights returns the number of values of an item.
func (it *item) weights() int64 {
	rows, cols := it.shape()
	return int64(rows) * int64(cols)
}

// center adds the edits that the plan asks for.
func (o *Output) center(ctx context.Context) error {
	for _, s := range o.Plan.Steps {
		switch {
		case s.Rows != nil:
			o.all += o.byT[s.Rows].weights()
		case s.Linear != nil:
			o.all += o.byT[s.Linear.W].weights()
		}
	}
	for i := range o.Plan.Steps {
		s := &o.Plan.Steps[i]
		switch s.Action {
		case CenterRows:
			it := o.byT[s.Rows]
			s.Measured = new(Means)
			if err := it.centerRows(ctx, s.Measured, o.step(it)); err != nil {
				return err
			}
			it.byRow = true
		case CenterColumns:
			it := o.byT[s.Linear.W]
			s.Measured = new(Means)
			lo, hi, groups := s.span()
			if err := it.centerColumns(ctx, lo, hi, groups, s.Measured, o.step(it)); err != nil {
				return err
			}
			for g := range groups {
				n := (hi - lo) / groups
				it.centered = append(it.centered, [2]int{lo + g*n, lo + (g+1)*n})
			}
			if b, at := o.bias(s.Linear); b != nil {
				if err := b.centerVector(at, at+s.Linear.Rows, s.Groups, s.Measured); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// span returns the rows that CenterColumns centres, and how many equal groups
// they make, each centred for itself: heads that are normalised one by one, or
// experts, one after the other.
func (s *Step) span() (lo, hi, groups int) {
	l := s.Linear
	if l.Experts > 0 {
		return 0, l.Rows * l.Experts, l.Experts
	}
	return l.From, l.From + l.Rows, s.Groups
}

// Measure fills the report with what storing the changed tensors costs. Write
// does so first if it has not been done.
func (o *Output) Measure(ctx context.Context) error {
	if o.Report.Changed != nil {
		return nil
	}
	o.begin(func(it *item) bool { return !it.verbatim() })
	return o.source.Guard(func() error { return o.measure(ctx) })
}

// begin starts a new round of progress over the items that any of counts
// accepts.
func (o *Output) begin(counts ...func(*item) bool) {
	o.done, o.all = 0, 0
	for _, it := range o.items {
		for _, c := range counts {
			if c(it) {
				o.all += it.weights()
			}
		}
	}
}

func (o *Output) measure(ctx context.Context) error {
	changed := []Changed{}
	for _, it := range o.items {
		if it.verbatim() {
			continue
		}
		c, left, err := it.measure(ctx, o.step(it))
		if err != nil {
			return err
		}
		changed = append(changed, c)
		o.Report.LargestMean = max(o.Report.LargestMean, left)
	}
	o.Report.Changed = changed
	return o.meta.Set(keyLargestMean, float32(o.Report.LargestMean))
}

// Write writes the file.
func (o *Output) Write(ctx context.Context, w io.Writer) error {
	return o.source.Guard(func() error { return o.write(ctx, w) })
}

func (o *Output) write(ctx context.Context, w io.Writer) error {
	every, changed := func(*item) bool { return true }, func(it *item) bool { return !it.verbatim() }
	if o.Report.Changed == nil {
		o.begin(changed, every)
		if err := o.measure(ctx); err != nil {
			return err
		}
	} else {
		o.begin(every)
	}
	infos := make([]gguf.TensorInfo, len(o.items))
	for i, it := range o.items {
		infos[i] = it.info
	}
	out, err := gguf.NewWriter(w, 3, o.meta, infos)
	if err != nil {
		return err
	}
	for _, it := range o.items {
		if err := it.write(ctx, out, o.step(it)); err != nil {
			return err
		}
	}
	return out.Close()
}
