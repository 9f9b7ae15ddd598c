package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/ops"
)

// measure reads the text, or a part of it, with one model of that name.
func (o *geometryFlags) measure(ctx context.Context, path, name string) (*geometry.State, error) {
	m, err := o.open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if ctx.Err() == nil { // a variant that was given up may still read the file
			m.Close()
		}
	}()
	w, err := await(ctx, func() (*windows, error) { return o.windows(ctx, m) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	state, err := o.collect(ctx, m, name, w)
	if err != nil {
		return nil, err
	}
	state.Run, state.Step = checkpoint(state.Model.Name)
	if o.shard != "" {
		state.Shards = []geometry.Shard{o.part}
	}
	switch {
	case o.swapTokens > 0 && w.texts != nil && o.shard != "":
		note("the embeddings with exchanged norms are left out: their distances from one another are of all texts, which a part does not have")
	case o.swapTokens > 0 && w.texts != nil:
		if state.EmbeddingSwap, err = o.embeddingSwaps(ctx, m, w); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	case o.swapTokens > 0:
		if state.Swap, err = o.swaps(ctx, m, w); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if tok, err := m.Tokenizer(); err == nil {
		state.NameTokens(func(id int32) string {
			return strings.ToValidUTF8(strings.Clone(tok.Piece(id)), string(utf8.RuneError))
		})
	}
	return state, nil
}

// modelName is what a model is called in reports.
func modelName(path string) string { return modelNames([]string{path})[0] }

// modelNames are what models are called in reports, no two alike: the names of
// their files, with as many folders in front as it takes to tell them apart, and
// a number behind a file that is there twice.
func modelNames(paths []string) []string {
	parts := make([][]string, len(paths)) // of each path
	files, most := map[string]bool{}, 1
	for i, path := range paths {
		path = filepath.ToSlash(filepath.Clean(strings.TrimSuffix(cmp.Or(path, tales.Name), ".gguf")))
		parts[i] = strings.Split(path, "/")
		files[path], most = true, max(most, len(parts[i]))
	}
	names := make([]string, len(paths))
	for n := 1; n <= most; n++ {
		times := map[string]int{}
		for i, p := range parts {
			names[i] = strings.Join(p[max(0, len(p)-n):], "/")
			if times[names[i]]++; times[names[i]] > 1 {
				names[i] += fmt.Sprintf(" (%d)", times[names[i]])
			}
		}
		if len(times) == len(files) {
			break
		}
	}
	return names
}

var stepInName = regexp.MustCompile(`-step([0-9]+)`)

// checkpoint finds the training step in a model's name, and what the run is
// called. A model without a step is no checkpoint.
func checkpoint(name string) (run string, step *int) {
	at := stepInName.FindStringSubmatchIndex(name)
	if at == nil {
		return "", nil
	}
	n, err := strconv.Atoi(name[at[2]:at[3]])
	if err != nil {
		return "", nil
	}
	return name[:at[0]] + name[at[1]:], &n
}

// collect runs the model and measures what the norms do.
func (o *geometryFlags) collect(ctx context.Context, m *engine.Model, name string, w *windows) (*geometry.State, error) {
	norms, err := selectSites(m.Arch, o.sites)
	if err != nil {
		return nil, err
	}
	meter, err := newMeter(m, name, norms, geometry.Options{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	causes, err := weightCauses(ctx, m, meter.sites)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	seq := 0
	start := time.Now()
	n, err := o.run(ctx, m, w, o.part.Has, norms, engine.Tap{Func: func(h engine.Hidden) { meter.add(seq, h) }}, func(i int) { seq = i })
	if err != nil {
		return nil, err
	}
	s := meter.State()
	if err := s.Finite(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if o.shard == "" && !o.output.asJSON {
		note("%s: %s at %s/s", name, plain.Count(n, "token"), threeDigits(float64(n)/max(since(start), 1e-9)))
	}
	s.Text, s.Digest, s.Window, s.Causes = w.name, eval.Digest(w.ids), w.size, causes
	return s, nil
}

// A meter feeds a collector from a tap.
type meter struct {
	*geometry.Collector
	eps     float32
	sites   []geometry.Site
	index   map[*arch.Norm]int
	in      []float32 // a norm may work in place
	swapped []float32
	each    func(n int, body func(lo, hi int))
}

func newMeter(m *engine.Model, name string, norms []*arch.Norm, options geometry.Options) (*meter, error) {
	a := m.Arch
	t := &meter{eps: a.Eps, index: map[*arch.Norm]int{}, each: spread(m.Threads())}
	err := m.File.Guard(func() error {
		for i, n := range norms {
			s, err := geometrySite(a, n)
			if err != nil {
				return err
			}
			t.index[n] = i
			t.sites = append(t.sites, s)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	model := geometry.Model{
		Name: name, Architecture: a.Spec.Name, Dim: a.Dim, Layers: a.Layers, Parameters: arch.Parameters(m.File),
		Norm: normName(norms[len(norms)-1].Kind), Eps: float64(a.Eps), Quantization: mostWeights(m),
	}
	options.For = t.each
	t.Collector, err = geometry.NewCollector(model, t.sites, options)
	return t, err
}

// mostWeights returns the type of most of the weights.
func mostWeights(m *engine.Model) string {
	items := map[string]int{}
	best := ""
	for i := range m.File.Tensors {
		t := &m.File.Tensors[i]
		name := t.Type.String()
		if items[name] += t.Items(); items[name] > items[best] {
			best = name
		}
	}
	return best
}

// spread returns what divides n vectors among threads.
func spread(threads int) func(n int, body func(lo, hi int)) {
	const worthwhile = 16 // vectors
	return func(n int, body func(lo, hi int)) {
		k := min(threads, n/worthwhile)
		if k < 2 {
			body(0, n)
			return
		}
		var wg sync.WaitGroup
		for i := 1; i < k; i++ {
			wg.Go(func() { body(n*i/k, n*(i+1)/k) })
		}
		body(0, n/k)
		wg.Wait()
	}
}

// add takes in what the tap saw of text window seq.
func (t *meter) add(seq int, h engine.Hidden) {
	switch h.Stage {
	case engine.In:
		t.in = append(t.in[:0], h.Rows...)
	case engine.Out:
		i := t.index[h.Site]
		t.exchange(&t.sites[i])
		t.Add(geometry.Batch{Site: i, Seq: seq, Pos: h.Pos, Tokens: h.Tokens, In: t.in, Out: h.Rows, Swapped: t.swapped})
	}
}

// exchange fills swapped with what the other norm makes of in.
func (t *meter) exchange(s *geometry.Site) {
	other := ops.RMSNorm
	if !s.Center {
		other = ops.LayerNorm
	}
	if len(t.swapped) < len(t.in) {
		t.swapped = make([]float32, len(t.in))
	}
	t.swapped = t.swapped[:len(t.in)]
	part := func(v []float32, head int) []float32 {
		if len(v) > s.Dim {
			return v[head*s.Dim:][:s.Dim]
		}
		return v
	}
	t.each(len(t.in)/s.Dim, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			head := i % max(s.Heads, 1)
			other(t.swapped[i*s.Dim:][:s.Dim], t.in[i*s.Dim:][:s.Dim], part(s.Gain, head), part(s.Bias, head), t.eps)
		}
	})
}

// swaps runs the model with its norms exchanged, on whole windows of the text,
// and compares what it predicts.
func (o *geometryFlags) swaps(ctx context.Context, m *engine.Model, w *windows) ([]geometry.SwapMode, error) {
	if w.size < 4 || len(w.ids) < w.size {
		note("the text is shorter than one window of %d tokens: no comparison of predictions", w.size)
		return nil, nil
	}
	models, names, err := o.exchanged(ctx, m)
	if err != nil {
		return nil, err
	}
	defer closeVariants(models)
	chunks := min(max(1, o.swapTokens/w.size), len(w.ids)/w.size)
	progress, end := track("tokens", "exchanging")
	defer end()
	report, err := eval.Run(ctx, models, names, w.ids, eval.Options{
		Context: w.size, Chunks: chunks, Shard: o.part.Index, Shards: o.part.Count, KV: o.cacheType(), Progress: progress,
	})
	if err != nil {
		return nil, err
	}
	var out []geometry.SwapMode
	for _, f := range report.Norms {
		s := geometry.SwapMode{Mode: f.Norm, Tokens: int(f.Tokens), Top1: 1}
		if f.Tokens > 0 {
			s.Perplexity, s.KL, s.Top1 = float64(f.Perplexity), float64(f.KLMean), float64(f.TopAgreement)
		}
		out = append(out, s)
	}
	return out, nil
}

// embeddingSwaps runs an encoder with its norms exchanged on texts of at most --swap-tokens
// tokens together, and compares the embeddings.
func (o *geometryFlags) embeddingSwaps(ctx context.Context, m *engine.Model, w *windows) ([]geometry.EmbeddingSwap, error) {
	texts, tokens := 0, 0
	for texts < len(w.texts) && tokens+len(w.texts[texts]) <= o.swapTokens {
		tokens += len(w.texts[texts])
		texts++
	}
	if texts < 3 {
		note("%s of at most %d tokens: no comparison of embeddings", plain.Count(texts, "text"), o.swapTokens)
		return nil, nil
	}
	models, names, err := o.exchanged(ctx, m)
	if err != nil {
		return nil, err
	}
	defer closeVariants(models)
	progress, end := track("texts", "exchanging")
	defer end()
	r, err := eval.RunEmbeddings(ctx, models, names, w.texts[:texts], progress)
	if err != nil {
		return nil, err
	}
	var out []geometry.EmbeddingSwap
	for _, f := range r.Norms {
		out = append(out, geometry.EmbeddingSwap{Mode: f.Norm, Texts: texts, Cosine: float64(f.Cosine), CosineWorst: float64(f.CosineWorst), Rank: float64(f.Rank), SameNeighbor: float64(f.SameNeighbor)})
	}
	return out, nil
}

// exchanged returns a model and its variants with all norms exchanged, as far as there
// are such.
func (o *geometryFlags) exchanged(ctx context.Context, m *engine.Model) (models []*engine.Model, names []string, err error) {
	modes := []engine.NormMode{engine.RMSNaive, engine.RMSFolded}
	if m.Arch.Spec.Norm == arch.RMSNorm {
		modes = []engine.NormMode{engine.Centered}
	}
	models, names = []*engine.Model{m}, []string{string(engine.Native)}
	for _, mode := range modes {
		v, err := o.variant(ctx, m, mode)
		if ctx.Err() != nil {
			closeVariants(models)
			return nil, nil, ctx.Err()
		}
		if err != nil {
			note("%s left out: %v", mode, runnable(err))
			continue
		}
		models, names = append(models, v), append(names, string(mode))
	}
	return models, names, nil
}

// closeVariants closes the models behind the first.
func closeVariants(models []*engine.Model) {
	for _, v := range models[1:] {
		v.Close()
	}
}
