package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/hf"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/report"
	"github.com/normswap/normswap/store"
)

// stepFolder is the name of a checkpoint's folder, as Pythia's are named.
var stepFolder = regexp.MustCompile(`^step([0-9]+)$`)

// checkpoints puts in the place of a folder its checkpoints, by their steps, and in
// that of a pattern, such as hf:ORG/REPO@step*, the models that Hugging Face's cache
// has of it.
func checkpoints(paths []string) []string {
	var all []string
	for _, p := range paths {
		found := stepsIn(p)
		if strings.HasPrefix(p, "hf:") && strings.Contains(p, "*") {
			for _, m := range store.List() {
				if ok, err := path.Match(p, m.Name); ok && err == nil {
					found = append(found, m.Name)
				}
			}
		}
		if found == nil {
			found = []string{p}
		}
		slices.SortStableFunc(found, func(a, b string) int { return cmp.Compare(stepOf(a), stepOf(b)) })
		all = append(all, found...)
	}
	return all
}

// stepsIn returns the folders of checkpoints in a folder that is no model itself.
func stepsIn(dir string) (found []string) {
	if dir == "" || hf.Is(dir) {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // it is a file, or there is none
	}
	for _, e := range entries {
		if at := filepath.Join(dir, e.Name()); stepFolder.MatchString(e.Name()) && hf.Is(at) {
			found = append(found, at)
		}
	}
	return found
}

// stepOf returns the training step in the name of a model; -1 if there is none.
func stepOf(p string) int {
	if _, step := checkpoint(modelName(p)); step != nil {
		return *step
	}
	if m := stepFolder.FindStringSubmatch(filepath.Base(p)); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			return n
		}
	}
	return -1
}

// A sweptModel is one of several that were swept.
type sweptModel struct {
	Step *int `json:"step,omitempty"`
	*eval.SweepReport
}

// sweepAll sweeps several models, and writes one report.
func (o *sweepFlags) sweepAll(ctx context.Context, w io.Writer, paths []string) error {
	switch {
	case o.shard != "" || o.partFile != "":
		return usagef("--shard and --part are for one model, not for %d", len(paths))
	case o.budget > 0:
		return usagef("--budget is for one model, not for %d", len(paths))
	}
	if err := o.find(ctx, len(paths)); err != nil {
		return err
	}
	var all []sweptModel
	names := modelNames(paths)
	for i, p := range paths {
		r, err := o.sweepOne(ctx, p)
		if err != nil {
			return err
		}
		r.Model = names[i]
		_, step := checkpoint(names[i])
		all = append(all, sweptModel{step, r})
	}
	if o.plot != "" {
		if err := drawSteps(o.plot, all); err != nil {
			return err
		}
	}
	if o.format.value == "json" {
		return plain.WriteJSON(w, all, " ")
	}
	return writeTable(w, stepsTable(all, o.format.value == "csv"), report.Format(o.format.value))
}

// throughout reports whether a row of a sweep is of norms throughout the depth of the
// model.
func throughout(row *eval.Row) bool {
	return row.Direction == "only" && row.Norms > 0 && (row.Group == "all" || row.Group == "role")
}

// stepsTable lays sweeps out below one another: every row, or those alone that are of
// the whole depth.
func stepsTable(all []sweptModel, every bool) *report.Table {
	first := all[0]
	t := &report.Table{
		Title:   fmt.Sprintf("%s on %s, %s, activations %s", first.Norm, first.Text, plain.Count(first.Windows, "window"), first.Activations),
		Columns: []report.Column{{Key: "model", Left: true}, {Key: "step"}},
	}
	for i, m := range all {
		one := *m.SweepReport
		if !every {
			one.Rows = slices.DeleteFunc(slices.Clone(one.Rows), func(r eval.Row) bool { return !throughout(&r) })
		}
		rows := sweepTable(&one)
		if i == 0 {
			t.Columns = append(t.Columns, rows.Columns...)
		}
		var step any
		if m.Step != nil {
			step = *m.Step
		}
		for _, row := range rows.Rows {
			t.Add(append([]any{m.Model, step}, row...)...)
		}
	}
	return t
}

// drawSteps plots the cost of the norms of each role over training.
func drawSteps(file string, all []sweptModel) error {
	y := "mean KL (nats)"
	var points []report.DepthPoint
	for _, m := range all {
		if m.Step == nil {
			return fmt.Errorf("--plot draws the cost over training steps, and %s names none", m.Model)
		}
		for _, row := range m.Rows {
			if row.Cosine != nil {
				y = "1 - cosine"
			}
			if cost := row.Cost(); throughout(&row) && cost > 0 && !math.IsInf(cost, 1) {
				points = append(points, report.DepthPoint{Series: cmp.Or(row.Role, "all norms"), X: float64(*m.Step), Y: cost, SE: row.CostSE()})
			}
		}
	}
	run, _ := checkpoint(all[0].Model)
	return saveFile(file, func(w io.Writer) error {
		return report.WriteStepPlot(w, fmt.Sprintf("%s, %s", run, all[0].Norm), y, points, filepath.Ext(file))
	})
}
