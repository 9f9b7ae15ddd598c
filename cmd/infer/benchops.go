package main

import (
	"context"
	"io"

	"github.com/normswap/normswap/internal/bench"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/report"
)

// writeKernels measures the kernels alone, on every instruction set, and
// writes them beside what the machine can do.
func (o *benchFlags) writeKernels(ctx context.Context, w io.Writer) error {
	sizes := bench.DefaultSizes()
	total := len(sizes.NormRows)*len(sizes.NormWidths)*2 + 2*len(sizes.Types)
	bar := newBar("measuring", int64(total*len(o.threads)*len(ops.ISAs())), "kernels")
	defer bar.done()
	var all []bench.Kernel
	for _, threads := range o.threads {
		err := bench.Kernels(ctx, sizes, threads, func(k bench.Kernel) {
			bar.add(1)
			all = append(all, k)
		})
		if err != nil {
			return err
		}
	}
	format := report.Format(o.format.value)
	return writeTable(w, kernelTable(all, format == report.Text || format == report.Markdown), format)
}

// kernelTable lays the results out for people or for programs.
func kernelTable(all []bench.Kernel, people bool) *report.Table {
	t := &report.Table{Columns: []report.Column{{Key: "kernel", Left: true}, {Key: "shape", Left: true}, {Key: "threads"}, {Key: "tier", Left: true},
		{Key: "seconds", Name: "time"}, {Key: "speed", Format: "%.1f"}, {Key: "machine", Format: "%.1f"},
		{Key: "percent", Name: "of the machine", Unit: "%", Format: "%.0f"}, {Key: "basis", Left: true}}}
	for _, k := range all {
		var took any = k.Time.Seconds()
		if people {
			took = durationText(k.Time.Seconds())
		}
		t.Add(k.Name, k.Shape, k.Threads, k.Tier, took, k.Speed(), k.Limit, 100*k.Speed()/k.Limit, string(k.Basis))
	}
	if people {
		t.Notes = []string{"", "Times are the best of five rounds, in turn with a plain loop on the best instruction set: the machine.",
			"Integer kernels may exceed the machine's multiply-adds in float32.", "", machine()}
	}
	return t
}
