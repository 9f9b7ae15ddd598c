package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/report"
)

// geometryMerger joins parts of infer geometry: those of one model and text to a state
// each.
type geometryMerger struct {
	flags      *mergeFlags
	states     []*geometry.State
	unfinished []*geometry.State
}

func (m *geometryMerger) group(o *mergeFlags) { m.flags = o }

func (m *geometryMerger) add(b []byte) error {
	s, err := geometry.ReadState(b)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(m.states, func(g *geometry.State) bool {
		return (!m.flags.models || g.Model.Name == s.Model.Name && g.ModelSum == s.ModelSum) &&
			(!m.flags.pool || g.Text == s.Text && g.Digest == s.Digest)
	})
	switch {
	case s.Progress != nil:
		m.unfinished = append(m.unfinished, s)
		return nil
	case i < 0:
		m.states = append(m.states, s)
		return nil
	case len(s.Shards) == 0 && len(m.states[i].Shards) == 0 && s.Text == m.states[i].Text && s.Digest == m.states[i].Digest:
		return fmt.Errorf("the run over %q is there twice", s.Text)
	}
	return m.states[i].Merge(s)
}

func (m *geometryMerger) missing() (all []string) {
	of := func(s *geometry.State) (name string) {
		if m.flags.models {
			name += " of " + s.Model.Name
		}
		if m.flags.pool {
			name += " of " + s.Text
		}
		return name
	}
	for _, s := range m.unfinished {
		name := "a run"
		if len(s.Shards) > 0 {
			name = s.Shards[0].String()
		}
		all = append(all, name+of(s)+" (its part is not at its end)")
	}
	for _, s := range m.states {
		for _, h := range s.Missing() {
			if name := h.String() + of(s); !slices.ContainsFunc(all, func(a string) bool { return strings.HasPrefix(a, name+" ") }) {
				all = append(all, name)
			}
		}
	}
	return all
}

func (m *geometryMerger) write(ctx context.Context, w io.Writer, o *mergeFlags) error {
	states := m.states
	if o.pool {
		states = nil
		for _, s := range m.states {
			i := slices.IndexFunc(states, func(g *geometry.State) bool {
				return !o.models || g.Model.Name == s.Model.Name && g.ModelSum == s.ModelSum
			})
			if i < 0 {
				states = append(states, s)
			} else if err := states[i].Pool(s); err != nil {
				return err
			}
		}
	}
	b := &report.Bundle{Command: strings.Join(append([]string{"infer"}, os.Args[1:]...), " ")}
	for _, s := range states {
		r, err := s.Result(o.skipFirst)
		if err != nil {
			return err
		}
		b.Results = append(b.Results, r)
	}
	return o.geometryOutput.write(ctx, w, b)
}
