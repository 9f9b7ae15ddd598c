package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/geometry"
	"github.com/spf13/cobra"
)

// A merger joins parts of one kind of run.
type merger interface {
	add(part []byte) error
	missing() []string // parts that are not there yet
	write(ctx context.Context, w io.Writer, o *mergeFlags) error
}

// A grouper is a merger that takes parts of several texts or models.
type grouper interface {
	merger
	group(o *mergeFlags)
}

// mergeFlags are the flags of merge.
type mergeFlags struct {
	geometryOutput
	pool, models bool
}

// mergers are the kinds of parts, by the field schema or the field kind of their
// JSON.
var mergers = map[string]func() merger{
	geometry.StateSchema: func() merger { return new(geometryMerger) },
	eval.Perplexity:      func() merger { return new(evalMerger) },
	eval.Compare:         func() merger { return new(evalMerger) },
	eval.Sweep:           func() merger { return new(sweepMerger) },
}

func newMerge() *cobra.Command {
	var o mergeFlags
	cmd := &cobra.Command{
		Use:   "merge PART.json...",
		Short: "Join the parts of a run that was spread over machines",
		Long: `merge joins what --shard wrote to the figures of one whole run: counts are
exact, means and deviations good to 1e-9. All parts must be there and at their
end, and be of one model, text and set of settings.

--pool adds up runs over different texts, each of which must be whole. --models
takes parts of several models, and sets the results side by side.`,
		Example: `  infer merge part-*.json
  infer merge part-*.json -o report --skip-first
  infer merge wiki-*.json books-*.json --pool
  infer merge parts/*.json --models -o report
  infer compare model.gguf --shard 0/2 > a.json
  infer compare model.gguf --shard 1/2 > b.json
  infer merge a.json b.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactArgs("the parts that --shard wrote")(cmd, args)
			}
			return nil
		},
		ValidArgsFunction: cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveFilterFileExt),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return mergeParts(cmd.Context(), stdout, args, &o)
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&o.pool, "pool", false, "add up runs over different texts")
	cmd.Flags().BoolVar(&o.models, "models", false, "take parts of several models, for a result each")
	return cmd
}

// maxPart bounds a part that is read, in bytes. The statistics of a norm take a
// few hundred KiB, whatever the text.
const maxPart = 256 << 20

func mergeParts(ctx context.Context, w io.Writer, paths []string, o *mergeFlags) error {
	var all merger
	var kind string
	for _, path := range paths {
		b, err := await(ctx, func() ([]byte, error) { return readPart(path) }) // a FIFO may never be written to
		if err != nil {
			return err
		}
		k, err := partKind(b)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if all == nil {
			all, kind = mergers[k](), k
			if g, ok := all.(grouper); ok {
				g.group(o)
			} else if o.pool || o.models {
				return usagef("--pool and --models are not for parts of %s", k)
			}
		}
		if k != kind {
			return fmt.Errorf("%s is a part of another kind of run (%s) than %s (%s)", path, k, paths[0], kind)
		}
		if err := all.add(b); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if missing := all.missing(); len(missing) > 0 {
		const show = 10
		more := ""
		if len(missing) > show {
			more = fmt.Sprintf(" and %d more", len(missing)-show)
			missing = missing[:show]
		}
		return fmt.Errorf("parts are missing: %s%s", strings.Join(missing, ", "), more)
	}
	return all.write(ctx, w, o)
}

// readPart reads the JSON of a part.
func readPart(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	limited := &io.LimitedReader{R: f, N: maxPart + 1}
	d := json.NewDecoder(limited)
	var part json.RawMessage
	err = d.Decode(&part)
	if err == nil {
		if _, e := d.Token(); e != io.EOF {
			err = errors.New("more follows behind the first value")
		}
	}
	var system *fs.PathError
	switch {
	case errors.As(err, &system):
		return nil, err
	case limited.N == 0:
		return nil, fmt.Errorf("%s is longer than %s, the limit of a part", path, bytesText(maxPart))
	case err != nil:
		return nil, fmt.Errorf("%s: not JSON that --shard wrote: %w", path, err)
	}
	return part, nil
}

// partKind tells what a part is of.
func partKind(b []byte) (string, error) {
	var head struct{ Schema, Kind string }
	err := json.Unmarshal(b, &head)
	kind := cmp.Or(head.Schema, head.Kind)
	if err != nil || mergers[kind] == nil {
		return "", errors.New("no part of a run: --shard writes those")
	}
	return kind, nil
}
