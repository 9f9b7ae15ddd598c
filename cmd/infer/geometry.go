package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/report"
	"github.com/spf13/cobra"
)

type geometryFlags struct {
	textFlags
	output     geometryOutput
	sites      string
	shard      string
	partFile   string
	flush      time.Duration
	swapTokens int

	share geometry.Shard // of --shard; the whole is 0/1
}

const geometryExample = `  infer geometry                                   the model in this program
  infer geometry model.gguf                        the paper's tables
  infer geometry model.gguf -f wiki.txt -o report  and plots, CSV and HTML
  infer geometry one.gguf two.gguf --skip-first    beside one another
  infer geometry run-step*.gguf -o report          the angle over training
  infer geometry pythia/ -o report                 its folders step0, step1, ...
  infer geometry model.gguf -f books/ -f more.txt.zst --part run.json
  infer geometry model.gguf -f wiki.txt --shard 0/7 --part part-0.json`

func newGeometry() *cobra.Command {
	var o geometryFlags
	cmd := &cobra.Command{
		Use:   "geometry [MODEL...]",
		Short: "Measure what the norms of models do to hidden vectors",
		Long: `geometry reads a text with a model and looks at every norm: lengths, angles
with the uniform vector, and rotations of the vectors that go in, are
standardised, and come out. It prints Tables 2, 3 and 4 of "Geometric
Interpretation of Layer Normalization and a Comparative Analysis with RMSNorm"
(arXiv 2409.12951) for the model, what exchanging the norms does to its
predictions, and the verdict. An encoder reads each line of -f as a text of its
own, and its embeddings are compared.

Several models give a comparison. Models named alike but for -stepN-, and the
folders stepN of one folder, which may be named in their place, are checkpoints
of one training run, and give the angle over training.

-f takes files, folders and patterns, compressed by gzip, Zstandard, xz or bzip2
or not, one after another. Texts of more than 64 MiB are read in blocks of 1 MiB
and never are in memory as a whole.

--shard I/N reads every N-th window of the text (of a long text: block), from
the I-th on, and writes statistics that infer merge joins to those of the whole
text. Of several models, each gets N divided by their number of shares, those of
the first model first. --part names the file for the statistics: it is written
every few minutes, and a run that is started again goes on from it.

docs/GEOMETRY.md says what every figure means.`,
		Example: geometryExample,
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return completeModels(cmd, nil, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			args = checkpoints(args)
			if err := o.check(args); err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{""} // the model in this program
			}
			return o.runAll(cmd.Context(), stdout, args)
		},
	}
	o.add(cmd)
	f := cmd.Flags()
	addSites(cmd, &o.sites)
	o.output.add(cmd)
	f.IntVar(&o.swapTokens, "swap-tokens", 10_000, "compare predictions with all norms exchanged on this number of `tokens`; 0: not at all")
	f.StringVar(&o.shard, "shard", "", "read share `I/N` of the text, I from 0 to N-1, and write its statistics, JSON for infer merge")
	addPart(cmd, &o.partFile, &o.flush)
	return cmd
}

// check tells what is wrong with the flags, before anything is loaded.
func (o *geometryFlags) check(paths []string) (err error) {
	if err := o.textFlags.check(); err != nil {
		return err
	}
	if o.swapTokens < 0 {
		return usagef("--swap-tokens %d: want 0 (none) or more", o.swapTokens)
	}
	if err := checkPart(o.partFile, o.flush); err != nil {
		return err
	}
	o.share = geometry.Shard{Index: 0, Count: 1}
	if o.shard == "" {
		if o.partFile != "" && len(paths) > 1 {
			return usagef("--part is the file of one model, not of %d", len(paths))
		}
		return o.output.check()
	}
	if o.output.dir != "" {
		return usagef("--shard writes statistics; -o is for infer merge, when all parts are there")
	}
	if o.share, err = geometry.ParseShard(o.shard); err != nil {
		return usagef("--shard %s: want I/N, such as 0/7, with I from 0 to N-1", o.shard)
	}
	if n := max(len(paths), 1); o.share.Count%n != 0 {
		return usagef("--shard %s: %d shares cannot be the same number for each of %d models", o.shard, o.share.Count, n)
	}
	return nil
}

func (o *geometryFlags) runAll(ctx context.Context, w io.Writer, paths []string) error {
	names := modelNames(paths)
	if o.shard != "" { // the models are the outer index
		each := o.share.Count / len(paths)
		i := o.share.Index / each
		paths, names = paths[i:i+1], names[i:i+1]
		o.share = geometry.Shard{Index: o.share.Index % each, Count: each}
	}
	if err := o.source.find(ctx, len(paths)); err != nil {
		return err
	}
	b := &report.Bundle{Command: strings.Join(append([]string{"infer"}, os.Args[1:]...), " ")}
	for i, path := range paths {
		state, err := o.measure(ctx, path, names[i], o.share)
		if err != nil {
			return err
		}
		switch {
		case o.shard != "" && o.partFile != "":
			return nil
		case o.shard != "":
			return printJSON(w, state)
		}
		r, err := state.Result(o.output.skipFirst)
		if err != nil {
			return err
		}
		b.Results = append(b.Results, r)
	}
	return o.output.write(ctx, w, b)
}

// geometryOutput is where results go, of a run or of merged parts.
type geometryOutput struct {
	dir               string
	asJSON, skipFirst bool
}

func (o *geometryOutput) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.dir, "out", "o", "", "a `folder` for geometry.json, CSV, plots (SVG, PNG) and report.html")
	cmd.Flags().BoolVar(&o.skipFirst, "skip-first", false, "every figure without position 0 as well")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print geometry.json")
}

// check tells why the folder cannot be written: before the work, not after it.
func (o *geometryOutput) check() error {
	if o.dir == "" {
		return nil
	}
	at := filepath.Clean(o.dir) // the folder that files would be made in
	for !exists(at) && filepath.Dir(at) != at {
		at = filepath.Dir(at)
	}
	if info, err := os.Stat(at); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file; -o names a folder", at)
	}
	probe, err := os.MkdirTemp(at, ".*.tmp")
	if err != nil {
		return cannotWrite(o.dir, err)
	}
	return os.Remove(probe)
}

func (o *geometryOutput) write(ctx context.Context, w io.Writer, b *report.Bundle) error {
	if o.dir != "" {
		if err := b.WriteDir(ctx, o.dir); err != nil {
			return err
		}
		note("%s: report.html, geometry.json, tables as CSV, plots as SVG and PNG", o.dir)
	}
	if o.asJSON {
		return geometry.WriteJSON(w, b.Results...)
	}
	b.Width = screenWidth(w)
	return b.Text(w)
}
