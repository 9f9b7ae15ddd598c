package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/norm"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

// An Experiment measures what becomes of a model when some of its norms take the forms of a
// recipe, any subset of them, against all norms as trained. Decoders are measured by
// their predictions, encoders by their embeddings.
type Experiment struct {
	Sites []*arch.Norm // that the recipe changes, in the order of evaluation

	base     *engine.Model
	options  engine.Options
	model    *engine.Model // whose norms are switches
	standard *Experiment   // whose native predictions are the standard; nil: this one
	switches []*[]*switched
	session  *engine.Session // nil: an encoder
	windows  [][]int32
	native   [][]line    // of each window; nil: not kept
	vectors  [][]float32 // native embeddings
	lines    []line
}

// switched is a norm that may run as trained or as a form.
type switched struct {
	native *ops.Norm
	form   norm.Norm
	on     bool
}

func (s *switched) Apply(dst, x []float32) { s.ApplyAt(dst, x, 1) }

func (s *switched) ApplyAt(dst, x []float32, position int) {
	if !s.on {
		s.native.Apply(dst, x)
	} else if at, ok := s.form.(norm.Positional); ok {
		at.ApplyAt(dst, x, position)
	} else {
		s.form.Apply(dst, x)
	}
}

// keepBytes bounds the memory of native logits that are kept.
const keepBytes = 512 << 20

// NewExperiment makes an experiment on the file of a model; o says how it is loaded, and its norms
// are the recipe's. Windows are sequences of tokens; of a decoder's the second half of
// each is scored.
func NewExperiment(ctx context.Context, m *engine.Model, o engine.Options, r *norm.Recipe, windows [][]int32) (*Experiment, error) {
	if len(windows) == 0 {
		return nil, fmt.Errorf("eval: %w", ErrShort)
	}
	choices := map[string]norm.Choice{}
	for _, c := range r.Sites {
		choices[c.Site] = c
	}
	p := &Experiment{windows: windows, base: m, options: o}
	byName := map[string]*[]*switched{}
	for _, n := range m.Arch.Norms() {
		c, ok := choices[n.Site]
		if !ok || c.Norm == norm.Native().String() {
			continue
		}
		f, err := c.Form()
		switch {
		case err != nil:
			return nil, err
		case f.Kind.Name == string(engine.RMSFolded):
			return nil, errors.New("eval: rms-folded is the same function, and is for all norms at once: there is nothing to sweep")
		case f.Kind.Readers && len(m.Arch.Readers(n)) == 0:
			continue
		}
		p.Sites = append(p.Sites, n)
		p.switches = append(p.switches, new([]*switched))
		byName[n.Site] = p.switches[len(p.switches)-1]
	}
	if len(p.Sites) == 0 {
		return nil, errors.New("eval: no norm of the model changes")
	}
	var failed error
	o.Norm, o.NormSites, o.Recipe = "", nil, nil
	o.ReplaceNorm = func(site *arch.Norm, native *ops.Norm) engine.Norm {
		list := byName[site.Site]
		if list == nil {
			return native
		}
		c := choices[site.Site]
		f, _ := c.Form() // checked above
		form, err := f.Make(native, c.Constants)
		failed = errors.Join(failed, err)
		s := &switched{native: native, form: form}
		*list = append(*list, s)
		return s
	}
	var err error
	if p.model, err = m.Variant(ctx, o); err != nil {
		return nil, err
	}
	if err := errors.Join(failed, p.begin(ctx)); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close ends the experiment.
func (p *Experiment) Close() error { return p.model.Close() }

// Encoder reports whether samples are of embeddings.
func (p *Experiment) Encoder() bool { return p.model.Arch.Spec.Encoder }

// begin measures the model as it was trained.
func (p *Experiment) begin(ctx context.Context) (err error) {
	p.set(nil)
	if p.Encoder() {
		p.vectors, err = embedTexts(ctx, p.model, p.windows)
		return err
	}
	longest, lines := 0, int64(0)
	for _, w := range p.windows {
		if len(w) < 4 {
			return errors.New("eval: a window of less than 4 tokens")
		}
		longest, lines = max(longest, len(w)), lines+int64(len(w)/2)
	}
	if p.session, err = p.model.NewSession(engine.SessionOptions{Context: longest, KV: quant.F32}); err != nil {
		return err
	}
	if lines*int64(p.model.Vocab())*4 > keepBytes {
		return nil
	}
	for _, w := range p.windows {
		var kept []line
		if err := p.evaluate(ctx, w, func(i int, l *line) { kept = append(kept, *l); p.lines = nil }); err != nil {
			return err
		}
		p.native = append(p.native, kept)
	}
	return nil
}

// set turns on the forms of some norms.
func (p *Experiment) set(on []bool) {
	for i, list := range p.switches {
		for _, s := range *list {
			s.on = on != nil && on[i]
		}
	}
}

// evaluate calls f with each prediction of the second half of a window.
func (p *Experiment) evaluate(ctx context.Context, w []int32, f func(i int, l *line)) error {
	half := len(w) / 2
	p.session.Truncate(0)
	if err := p.session.Append(ctx, w[:half]); err != nil {
		return err
	}
	return p.session.EvalAll(ctx, w[half:len(w)-1], func(i int, logits []float32) error {
		if len(p.lines) == 0 {
			p.lines = make([]line, 1)
		}
		l := &p.lines[0]
		l.logits = append(l.logits[:0], logits...)
		l.sum()
		f(i, l)
		return nil
	})
}

// A Sample is what was measured of one subset of norms, by window.
type Sample struct {
	Windows []Window `json:"windows"`
	// Of embeddings, over all pairs of texts.
	RankCorrelation, SameNeighbor Number
}

// A Window has the sums over one window: of a decoder's tokens, or an encoder's text.
type Window struct {
	Tokens int     `json:"tokens"`
	NLL    float64 `json:"nll"`  // nats, of the model as trained
	DNLL   float64 `json:"dnll"` // change
	KL     float64 `json:"kl"`   // nats; of an embedding 1 - cosine
	Same   int     `json:"same"` // tokens whose most likely successor is the same
}

// Measure measures the model with the forms of those norms of Sites that are on.
func (p *Experiment) Measure(ctx context.Context, on []bool) (*Sample, error) {
	s := &Sample{RankCorrelation: Number(math.NaN()), SameNeighbor: Number(math.NaN())}
	if p.Encoder() {
		p.set(on)
		vectors, err := embedTexts(ctx, p.model, p.windows)
		if err != nil {
			return nil, err
		}
		for i, v := range vectors {
			s.Windows = append(s.Windows, Window{Tokens: 1, KL: 1 - dot(v, p.vectors[i])})
		}
		n := min(len(vectors), PairedTexts)
		s.RankCorrelation, s.SameNeighbor, _ = pairs(p.vectors[:n], vectors[:n])
		return s, nil
	}
	for c, w := range p.windows {
		native := []line(nil)
		if p.native != nil {
			native = p.native[c]
		} else {
			q := cmp.Or(p.standard, p)
			q.set(nil)
			if err := q.evaluate(ctx, w, func(_ int, l *line) { native = append(native, *l); q.lines = nil }); err != nil {
				return nil, err
			}
		}
		p.set(on)
		sum, half := Window{}, len(w)/2
		err := p.evaluate(ctx, w, func(i int, l *line) {
			t := l.against(&native[i], int(w[half+i+1]))
			sum.Tokens++
			sum.NLL += t.nll - t.dnll
			sum.DNLL += t.dnll
			sum.KL += t.kl
			if l.top == native[i].top {
				sum.Same++
			}
		})
		if err != nil {
			return nil, err
		}
		s.Windows = append(s.Windows, sum)
	}
	return s, nil
}

// Rounding measures what activations of float32 in place of rounded ones do to the model with its
// norms as trained: what rounding alone does to the figures of the experiment.
func (p *Experiment) Rounding(ctx context.Context) (*Sample, error) {
	o := p.options
	o.Norm, o.NormSites, o.Recipe, o.FloatActivations, o.BF16Activations = "", nil, nil, true, false
	m, err := p.base.Variant(ctx, o)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	q := &Experiment{windows: p.windows, model: m, standard: p, native: p.native, vectors: p.vectors}
	if p.session != nil {
		longest := 0
		for _, w := range p.windows {
			longest = max(longest, len(w))
		}
		if q.session, err = m.NewSession(engine.SessionOptions{Context: longest, KV: quant.F32}); err != nil {
			return nil, err
		}
	}
	return q.Measure(ctx, nil)
}

// mean returns the mean of a sum over all tokens, and its standard error, which takes
// the windows for the independent draws (clusters): NaN of one window.
func (s *Sample) mean(of func(w Window) float64) (mean, se float64) {
	var sum, n, squares float64
	for _, w := range s.Windows {
		sum, n = sum+of(w), n+float64(w.Tokens)
	}
	mean = sum / n
	if len(s.Windows) < 2 {
		return mean, math.NaN()
	}
	for _, w := range s.Windows {
		d := of(w) - mean*float64(w.Tokens)
		squares += d * d
	}
	c := float64(len(s.Windows))
	return mean, math.Sqrt(squares*c/(c-1)) / n
}

// worst returns the largest value of a window.
func (s *Sample) worst() (most float64) {
	for _, w := range s.Windows {
		most = max(most, w.KL)
	}
	return most
}

func dot(a, b []float32) (sum float64) {
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}
