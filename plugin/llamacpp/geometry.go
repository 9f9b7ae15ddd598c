package llamacpp

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/ops"
)

// Windows cuts ids into pieces of the model's context, the last of which may be
// short. Each is read from position 0 on.
func (m *Model) Windows(ids []int32) [][]int32 {
	var all [][]int32
	for len(ids) > 0 {
		n := min(m.size, len(ids))
		all = append(all, ids[:n])
		ids = ids[n:]
	}
	return all
}

// Geometry measures what the norms do to hidden vectors over windows of a text,
// each read from position 0 on, with the norms that swap leaves (nil: all): what
// package geometry makes of any runner.
func (m *Model) Geometry(ctx context.Context, name, text string, ids []int32, swap *Hook) (*geometry.State, error) {
	if m.id == 0 {
		return nil, errors.New("llamacpp: the geometry needs a model with the callback")
	}
	sites := make([]geometry.Site, len(m.sites))
	index := map[*Site]int{}
	for i, s := range m.sites {
		index[s] = i
		sites[i] = geometry.Site{
			Name: s.Name, Layer: s.Layer, Role: string(s.Role), Center: s.Center, Eps: float64(s.Eps),
			Dim: s.Width, Heads: s.Groups, Gain: s.Gain, Bias: s.Bias,
		}
	}
	last := m.sites[len(m.sites)-1]
	about := geometry.Model{
		Name: name, Dim: last.Width, Parameters: arch.Parameters(m.File), Norm: "rmsnorm", Eps: float64(last.Eps),
	}
	if a, ok := m.File.Meta.Lookup(arch.KeyArchitecture); ok {
		about.Architecture = fmt.Sprint(a)
	}
	if last.Center {
		about.Norm = "layernorm"
	}
	for _, s := range m.sites {
		about.Layers = max(about.Layers, s.Layer+1)
	}
	collector, err := geometry.NewCollector(about, sites, geometry.Options{})
	if err != nil {
		return nil, err
	}
	window := 0
	var out, swapped []float32
	hook := &Hook{Tap: func(v Vectors) {
		out = v.Out(out)
		swapped = v.exchanged(swapped)
		collector.Add(geometry.Batch{Site: index[v.Site], Seq: window, Pos: v.Pos, Tokens: v.Tokens, In: v.In, Out: out, Swapped: swapped})
	}}
	if swap != nil {
		hook.Replace = swap.Replace
	}
	for i, w := range m.Windows(ids) {
		window = i
		m.Reset()
		if _, err := m.Eval(ctx, w, hook); err != nil {
			return nil, err
		}
	}
	state := collector.State()
	if err := state.Finite(); err != nil {
		return nil, fmt.Errorf("llamacpp: %s: %w", name, err)
	}
	state.Text, state.Digest, state.Window = text, eval.Digest(ids), m.size
	return state, nil
}

// exchanged returns what the other norm makes of what this one reads, with gain
// and bias.
func (v *Vectors) exchanged(dst []float32) []float32 {
	s := v.Site
	norm := ops.Norm{Eps: s.Eps, Center: !s.Center}
	other := Vectors{Site: s, Std: append(dst[:0], v.In...)}
	for i := 0; i < len(other.Std); i += s.Width {
		row := other.Std[i : i+s.Width]
		norm.Apply(row, row)
	}
	return other.Out(other.Std)
}

// ModelName is what a model's file is called in reports.
func ModelName(path string) string { return strings.TrimSuffix(filepath.Base(path), ".gguf") }
