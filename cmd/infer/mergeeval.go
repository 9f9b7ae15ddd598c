package main

import (
	"context"
	"fmt"
	"io"

	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/report"
)

// evalMerger joins parts of perplexity or compare: those of one text to a report each.
type evalMerger struct {
	pool       bool
	reports    []*eval.Report
	unfinished []*eval.Report
}

func (m *evalMerger) group(o *mergeFlags) { m.pool = o.pool }

func (m *evalMerger) add(b []byte) error {
	r, err := eval.Parse(b)
	if err != nil {
		return err
	}
	if r.Progress != nil {
		m.unfinished = append(m.unfinished, r)
		return nil
	}
	for _, g := range m.reports {
		if !m.pool || g.IDs == r.IDs && g.Text == r.Text {
			return g.Merge(r)
		}
	}
	m.reports = append(m.reports, r)
	return nil
}

func (m *evalMerger) missing() (all []string) {
	name := func(i int, r *eval.Report) (s string) {
		s = fmt.Sprintf("%d/%d", i, r.Of)
		if m.pool {
			s += " of " + r.Text
		}
		return s
	}
	known := map[string]bool{}
	for _, r := range m.unfinished {
		for _, i := range r.Shards {
			known[name(i, r)] = true
			all = append(all, name(i, r)+" (its part is not at its end)")
		}
	}
	for _, r := range m.reports {
		for _, i := range r.Missing() {
			if s := name(i, r); !known[s] {
				all = append(all, s)
			}
		}
	}
	return all
}

func (m *evalMerger) write(_ context.Context, w io.Writer, o *mergeFlags) error {
	all := m.reports[0]
	for _, r := range m.reports[1:] {
		if err := all.Pool(r); err != nil {
			return err
		}
	}
	switch {
	case o.models:
		return usagef("--models is for parts of infer geometry, these are of infer %s", all.Kind)
	case o.dir != "" || o.skipFirst:
		return usagef("-o and --skip-first are for parts of infer geometry, these are of infer %s", all.Kind)
	case o.asJSON:
		return writeReport(w, all)
	case all.Kind == eval.Perplexity:
		return writePerplexity(w, all, false)
	}
	return writeTable(w, compareTable(all), report.Text)
}
