package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/internal/plain"
)

// each measures the rows of a sweep, or of a shard, but those that --part has.
func (o *sweepFlags) each(ctx context.Context, r *eval.SweepReport, x *eval.Experiment) error {
	r.Subsets = x.Subsets()
	options := eval.SweepOptions{Shard: o.index, Shards: o.of}
	if o.part != "" {
		before, err := readSweep(o.part)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		default:
			if err := cmp.Or(before.Same(r), sameShards(before, r)); err != nil {
				return fmt.Errorf("%s: %w", o.part, err)
			}
			options.Measured = before.Rows
			note("%s has %s already", o.part, plain.Count(len(before.Rows), "row"))
		}
		options.Keep = func(rows []eval.Row) error {
			kept := *r
			kept.Rows = rows
			return saveFile(o.part, func(w io.Writer) error { return plain.WriteJSON(w, &kept, " ") })
		}
	}
	progress, end := track("rows", "sweeping")
	defer end()
	options.Progress = progress
	rows, err := x.Sweep(ctx, options)
	if err != nil {
		return err
	}
	r.SetRows(rows)
	if options.Keep != nil {
		return options.Keep(r.Rows)
	}
	return nil
}

func sameShards(a, b *eval.SweepReport) error {
	if !slices.Equal(a.Shards, b.Shards) {
		return fmt.Errorf("it is of shard %d, not of %d", a.Shards[0], b.Shards[0])
	}
	return nil
}

// readSweep reads the file of --part.
func readSweep(path string) (*eval.SweepReport, error) {
	b, err := readPart(path)
	if err != nil {
		return nil, err
	}
	r, err := eval.ParseSweep(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// sweepMerger joins parts of a sweep.
type sweepMerger struct{ report *eval.SweepReport }

func (m *sweepMerger) add(b []byte) error {
	r, err := eval.ParseSweep(b)
	if err == nil {
		err = r.Complete()
	}
	switch {
	case err != nil:
		return err
	case m.report == nil:
		r.SetRows(r.Rows)
		m.report = r
		return nil
	}
	return m.report.Merge(r)
}

func (m *sweepMerger) missing() (all []string) {
	for _, i := range m.report.Missing() {
		all = append(all, fmt.Sprintf("%d/%d", i, m.report.Of))
	}
	return all
}

func (m *sweepMerger) write(_ context.Context, w io.Writer, o *mergeFlags) error {
	format := "text"
	switch {
	case o.dir != "" || o.skipFirst:
		return usagef("-o and --skip-first are for parts of infer geometry, these are of infer sweep")
	case o.asJSON:
		format = "json"
	}
	return writeSweep(w, m.report, format)
}
