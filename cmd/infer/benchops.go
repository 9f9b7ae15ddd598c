package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/normswap/normswap/internal/bench"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
	"github.com/normswap/normswap/report"
)

// writeKernels measures the kernels alone, on every instruction set, and
// writes them beside what the machine can do.
func (o *benchFlags) writeKernels(ctx context.Context, w io.Writer) error {
	sizes := bench.DefaultSizes()
	if o.types != nil {
		sizes.Types = nil
		for _, name := range o.types {
			t, err := quant.ParseType(name)
			if err != nil || !slices.Contains(ops.WeightTypes(), t) {
				return usagef("--types %s: want types of weights: %s", name, typeNames(ops.WeightTypes()))
			}
			sizes.Types = append(sizes.Types, t)
		}
	}
	bar := newBar("measuring", int64(sizes.Count()*len(o.threads)), "kernels")
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
		t.Notes = slices.Concat([]string{"", "Times are the best of five rounds, in turn with a loop on the best instruction set: the machine, or what a",
			"kernel reached if that is more. Memory is read by the fastest of several loops; arithmetic is on registers."},
			slower(all), []string{"", machine()})
	}
	return t
}

// slower names the kernels that a wider instruction set made more than 5 % slower.
func slower(all []bench.Kernel) (lines []string) {
	for i, k := range all[:max(0, len(all)-1)] {
		if next := all[i+1]; next.Name == k.Name && next.Shape == k.Shape && next.Threads == k.Threads && next.Time > k.Time*105/100 {
			lines = append(lines, fmt.Sprintf("%s, %s, -t %d: %s reaches %.0f %% of the speed of %s.", k.Name, k.Shape, k.Threads, next.Tier, 100*float64(k.Time)/float64(next.Time), k.Tier))
		}
	}
	if lines == nil {
		return []string{"No wider instruction set is slower than a narrower one."}
	}
	return slices.Concat([]string{"Slower on a wider instruction set (products with one row take the fastest, see infer version -v):"}, lines)
}

func typeNames(types []quant.Type) string {
	var names []string
	for _, t := range types {
		names = append(names, t.String())
	}
	return strings.Join(names, ", ")
}
