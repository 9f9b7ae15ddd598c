package main

import (
	"context"
	"fmt"
	"io"

	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/report"
)

// evalMerger joins parts of perplexity or compare.
type evalMerger struct{ report *eval.Report }

func (m *evalMerger) add(b []byte) error {
	r, err := eval.Parse(b)
	switch {
	case err != nil:
		return err
	case m.report == nil:
		m.report = r
		return nil
	}
	return m.report.Merge(r)
}

func (m *evalMerger) missing() (all []string) {
	for _, i := range m.report.Missing() {
		all = append(all, fmt.Sprintf("%d/%d", i, m.report.Of))
	}
	return all
}

func (m *evalMerger) write(_ context.Context, w io.Writer, o *geometryOutput) error {
	switch {
	case o.dir != "" || o.skipFirst:
		return usagef("-o and --skip-first are for parts of infer geometry, these are of infer %s", m.report.Kind)
	case o.asJSON:
		return writeReport(w, m.report)
	case m.report.Kind == eval.Perplexity:
		return writePerplexity(w, m.report, false)
	}
	return writeTable(w, compareTable(m.report), report.Text)
}
