package main

import (
	"fmt"
	"io"

	"github.com/normswap/normswap/internal/bench"
	"github.com/normswap/normswap/report"
)

// writeProfiles writes where the time of each result went: a table for each,
// or for machines one table of all.
func writeProfiles(w io.Writer, all []benchResult, format report.Format) error {
	columns := []report.Column{{Key: "operation", Left: true}, {Key: "calls", Format: "%.0f"}, {Key: "ms", Name: "time", Unit: "ms", Format: "%.3f"},
		{Key: "share", Unit: "%", Format: "%.1f"}, {Key: "waiting", Unit: "%", Format: "%.1f"},
		{Key: "gb_per_s", Name: "GB/s", Format: "%.1f"}, {Key: "gflop_per_s", Name: "GFLOP/s", Format: "%.1f"}}
	if format == report.Text || format == report.Markdown {
		for _, v := range all {
			p := v.profile
			t := &report.Table{Columns: columns, Title: fmt.Sprintf("%s, norm %s, threads %d, %s: %.1f tokens/s, %.2f ms a run while observed", v.model, v.norm, v.threads,
				v.test.Name(), float64(p.Runs*v.test.Tokens())/p.Elapsed.Seconds(), 1e3*p.Elapsed.Seconds()/float64(p.Runs))}
			for _, o := range p.Operations() {
				t.Add(profileRow(p, o)...)
			}
			t.Notes = []string{""}
			if err := writeTable(w, t, format); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(w, "Calls and time are those of one run, on average. Waiting is the part of the time that a thread had nothing to do, on average.\n%s\n", machine())
		return err
	}
	t := &report.Table{Columns: append([]report.Column{{Key: "model_filename"}, {Key: "n_threads"}, {Key: "norm"}, {Key: "test"}}, columns...)}
	for _, v := range all {
		for _, o := range v.profile.Operations() {
			t.Add(append([]any{v.model, v.threads, v.norm, v.test.Name()}, profileRow(v.profile, o)...)...)
		}
	}
	return t.Write(w, format)
}

// profileRow returns the cells of one operation, for one run.
func profileRow(p *bench.Profile, o bench.Operation) []any {
	seconds := o.Time.Seconds()
	row := []any{o.Op, nil, 1e3 * seconds / float64(p.Runs), 100 * seconds / p.Elapsed.Seconds(), nil, nil, nil}
	if o.Calls > 0 {
		row[1], row[4] = float64(o.Calls)/float64(p.Runs), 100*o.Wait.Seconds()/seconds
	}
	if o.Bytes > 0 {
		row[5] = float64(o.Bytes) / seconds / 1e9
	}
	if o.Flops > 0 {
		row[6] = float64(o.Flops) / seconds / 1e9
	}
	return row
}
