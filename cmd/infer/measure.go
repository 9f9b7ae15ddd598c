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

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/corpus"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/ops"
)

// measure reads the text, or a share of it, with one model of that name.
func (o *geometryFlags) measure(ctx context.Context, path, name string, shard geometry.Shard) (*geometry.State, error) {
	m, err := o.open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if ctx.Err() == nil { // a variant that was given up may still read the file
			m.Close()
		}
	}()
	state, err := o.collect(ctx, m, name, shard)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return state, err
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
		if n := len(parts[i]); n > 1 && stepFolder.MatchString(parts[i][n-1]) { // of the run that it lies in
			parts[i] = append(parts[i][:n-2], parts[i][n-2]+"-"+parts[i][n-1])
		}
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

var stepInName = regexp.MustCompile(`[-@]step([0-9]+)`)

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

// add takes in what the tap saw of window w of the text.
func (t *meter) add(w corpus.Window, h engine.Hidden) {
	switch h.Stage {
	case engine.In:
		t.in = append(t.in[:0], h.Rows...)
	case engine.Out:
		i := t.index[h.Site]
		t.exchange(&t.sites[i])
		t.Add(geometry.Batch{Site: i, Block: w.Block, Seq: w.Seq, Pos: h.Pos, Tokens: h.Tokens, In: t.in, Out: h.Rows, Swapped: t.swapped})
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
