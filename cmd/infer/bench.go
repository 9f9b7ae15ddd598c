package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/bench"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/report"
	"github.com/spf13/cobra"
)

type benchFlags struct {
	modelFlags
	prompts, gens, depths, sessions, threads []int
	norms, types                             []string
	rounds                                   int
	format                                   choice
	profile, ops                             bool
}

const benchExample = `  infer bench                                            model of this program
  infer bench model.gguf -p 512,1024 -t 1,2              every combination
  infer bench model.gguf --norm native,rms-folded -r 20  does the swap pay?
  infer bench model.gguf -p 0 --sessions 1,2,4,8,16      how many users at once?
  infer bench model.gguf --profile                       where does the time go?
  infer bench --ops -t 1                                 kernels alone, no model
  infer bench --ops --types Q4_K,F16                     some of them
  infer bench layernorm.gguf rmsnorm.gguf --format md    two models in turn`

func newBench() *cobra.Command {
	var o benchFlags
	cmd := &cobra.Command{
		Use:   "bench [MODEL...]",
		Short: "Measure tokens per second, for each norm mode",
		Long: `bench measures how fast models run, with llama-bench's tests: pp512 reads a
prompt of 512 random tokens at once, tg128 evaluates 128 tokens one after the
other, and "@ d1024" says that 1,024 tokens are in the cache before. Options
that take lists make a matrix.

Models and norm modes run in turn, round by round, each round beginning with
another one, so that a machine that changes its speed does so for all. Each
mode is compared with the first mode of the same model: the geometric mean of
the ratios of the rounds, its 95 % interval (Student's, of the logarithms),
and what that allows to say. More rounds (-r) make the interval narrower.

With --sessions 8, 8 sessions generate at once and share passes over the weights,
as llama-batched-bench has it: "tg128 x 8" is 8 sessions of 128 tokens
each, and the speed is that of all together.

Generating a token reads nearly all weights once. Beside it stand the bytes that
it moves in a second at least, and these in percent of what the fastest of several
loops over the weights reads, in turn with it.

The memory of a single model is the most that the process had by the end of the
test, the file included (Linux).`,
		Example: benchExample,
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return completeModels(cmd, nil, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if o.types != nil && !o.ops {
				return usagef("--types is for --ops")
			}
			if o.ops {
				if len(args) > 0 {
					return usagef("--ops measures kernels, without a model; leave out %q", args[0])
				}
				return o.writeKernels(cmd.Context(), stdout)
			}
			return o.run(cmd.Context(), stdout, args)
		},
	}
	f := cmd.Flags()
	f.IntSliceVarP(&o.prompts, "n-prompt", "p", []int{512}, "lengths of the prompts in `tokens`; 0: none")
	f.IntSliceVarP(&o.gens, "n-gen", "n", []int{128}, "numbers of `tokens` to generate; 0: none")
	f.IntSliceVarP(&o.depths, "n-depth", "d", []int{0}, "`tokens` in the cache before")
	f.IntSliceVar(&o.sessions, "sessions", nil, "numbers of `sessions` that generate at once, such as 1,2,4,8,16")
	f.IntVarP(&o.rounds, "repetitions", "r", 5, "`times` that each test is run")
	f.IntSliceVarP(&o.threads, "threads", "t", []int{0}, "`threads` that compute; 0: one for each physical core")
	f.StringSliceVar(&o.norms, "norm", []string{string(engine.Native)}, "norm `modes`: native, rms-folded, rms-naive, layer")
	f.BoolVar(&o.profile, "profile", false, "print what each operation took, instead of tokens per second")
	f.BoolVar(&o.ops, "ops", false, "measure the norm and matrix kernels alone, on every instruction set")
	f.StringSliceVar(&o.types, "types", nil, "`types` of weights that --ops measures; default: all")
	o.addMemory(cmd, "f16")
	_ = cmd.RegisterFlagCompletionFunc("norm", completeList(modeNames()...))
	addFormat(cmd, &o.format, "; bench is for benchstat", "text", "md", "csv", "json", "jsonl", "bench")
	return cmd
}

// check tells what is wrong with the flags, before anything is loaded.
func (o *benchFlags) check() error {
	for _, list := range []struct {
		name   string
		values []int
	}{{"n-prompt", o.prompts}, {"n-gen", o.gens}, {"n-depth", o.depths}, {"threads", o.threads}} {
		for _, n := range list.values {
			if n < 0 {
				return usagef("--%s %d: want 0 or more", list.name, n)
			}
		}
	}
	for _, n := range o.sessions {
		if n < 1 {
			return usagef("--sessions %d: want 1 or more", n)
		}
	}
	for _, n := range o.threads {
		if n > maxThreads {
			return usagef("--threads %d: this machine has %d processors, and %d threads are the limit", n, runtime.NumCPU(), maxThreads)
		}
	}
	if (o.profile || o.ops) && o.format.value == "bench" {
		return usagef("--profile and --ops have no form for benchstat; choose another --format")
	}
	if o.rounds < 1 {
		return usagef("--repetitions %d: want 1 or more", o.rounds)
	}
	if len(bench.Tests(o.prompts, o.gens, o.depths, o.sessions)) == 0 {
		return usagef("nothing to measure: -p and -n are both 0")
	}
	for _, s := range o.norms {
		if err := checkMode("norm", s); err != nil {
			return err
		}
	}
	return nil
}

// A benchResult is one row of the table.
type benchResult struct {
	model   string // file name
	arch    string
	size    int // bytes of the tensors
	params  int
	threads int
	norm    string
	test    bench.Test
	tps     []float64    // by round
	ratio   *bench.Ratio // to the first mode; nil for that one
	bytes   int          // read and written for a token at least; 0: not a test of single tokens
	reading []float64    // bytes per second of a plain loop over the weights, by round
	memory  int          // the most that the process had by the end of the test; 0: not known
	profile *bench.Profile
}

func (o *benchFlags) run(ctx context.Context, w io.Writer, paths []string) error {
	if len(paths) == 0 {
		paths = []string{""}
	}
	var all []benchResult
	for _, threads := range o.threads {
		results, err := o.measure(ctx, paths, threads)
		if err != nil {
			return err
		}
		all = append(all, results...)
	}
	return o.write(w, all)
}

func (o *benchFlags) write(w io.Writer, all []benchResult) error {
	format := report.Format(o.format.value)
	switch {
	case o.profile:
		return writeProfiles(w, all, format)
	case o.format.value == "bench":
		return writeBenchstat(w, all)
	}
	return writeTable(w, benchTable(all, len(o.norms) > 1, o.format.value), format)
}

// measure runs the tests with a number of threads.
func (o *benchFlags) measure(ctx context.Context, paths []string, threads int) (all []benchResult, err error) {
	var models []*engine.Model
	defer func() {
		for _, m := range models {
			m.Close()
		}
	}()
	var variants []benchResult
	names := modelNames(paths)
	for i, path := range paths {
		for _, norm := range o.norms {
			f := o.modelFlags
			f.threads, f.norm.value = threads, norm
			m, err := f.open(ctx, path)
			if err != nil {
				return nil, err
			}
			models = append(models, m)
			variants = append(variants, describeModel(m, names[i], norm))
		}
	}
	tests := bench.Tests(o.prompts, o.gens, o.depths, o.sessions)
	bar := newBar("measuring", int64(len(tests)*len(models)*o.rounds), "runs")
	defer bar.done()
	for _, test := range tests {
		runtime.GC() // of the sessions of the last test, before there are others
		runners := make([]*bench.Runner, len(models))
		bytes, reading := make([]int, len(models)), make([][]float64, len(models))
		for i, m := range models {
			if runners[i], err = bench.NewRunner(ctx, m, test, o.cacheType()); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", variants[i].model, test.Name(), err)
			}
			if test.Single() && !o.profile {
				if bytes[i], err = runners[i].TokenBytes(ctx); err != nil {
					return nil, err
				}
			}
		}
		if o.profile {
			for i, v := range variants {
				v.test = test
				if v.profile, err = runners[i].Profile(ctx, o.rounds); err != nil {
					return nil, err
				}
				bar.add(int64(o.rounds))
				all = append(all, v)
			}
			continue
		}
		tps, err := bench.Interleave(o.rounds, len(models), func(i int) (float64, error) {
			defer bar.add(1)
			if test.Single() {
				reading[i] = append(reading[i], runners[i].ReadSpeed())
			}
			return runners[i].Run(ctx)
		})
		if err != nil {
			return nil, err
		}
		for i, v := range variants {
			v.test, v.tps, v.bytes, v.reading, v.memory = test, tps[i], bytes[i], reading[i], bench.PeakMemory()
			if base := i - i%len(o.norms); i != base {
				r := bench.Compare(tps[i], tps[base])
				v.ratio = &r
			}
			all = append(all, v)
		}
	}
	return all, nil
}

func describeModel(m *engine.Model, name, norm string) benchResult {
	v := benchResult{model: name, arch: m.Arch.Spec.Name, threads: m.Threads(), norm: norm}
	for i := range m.File.Tensors {
		t := &m.File.Tensors[i]
		v.size += len(t.Data)
		v.params += t.Items()
	}
	return v
}

// benchTable lays the results out: for people, or with llama-bench's keys and
// no digit dropped. ratios tells whether there is more than one mode.
func benchTable(all []benchResult, ratios bool, format string) *report.Table {
	t := &report.Table{}
	if format == "text" || format == "md" {
		t.Columns = []report.Column{{Key: "model", Left: true}, {Key: "size"}, {Key: "params"}, {Key: "threads"},
			{Key: "norm", Left: true}, {Key: "test"}, {Key: "tokens/s", Format: "%.2f"}}
		alone := all[0].memory > 0 && !slices.ContainsFunc(all, func(v benchResult) bool { return v.model != all[0].model || v.norm != all[0].norm })
		tokens := slices.ContainsFunc(all, func(v benchResult) bool { return v.bytes > 0 })
		if tokens {
			t.Columns = append(t.Columns, report.Column{Key: "GB/s", Format: "%.1f"}, report.Column{Key: "of reading", Unit: "%", Format: "%.0f"})
		}
		if alone { // else it is that of several models
			t.Columns = append(t.Columns, report.Column{Key: "memory"})
		}
		if ratios {
			t.Columns = append(t.Columns, report.Column{Key: "against " + all[0].norm + " (95 % interval)"}, report.Column{Key: "verdict", Left: true})
		}
		for _, v := range all {
			row := []any{v.model, bytesText(float64(v.size)), countText(float64(v.params)), v.threads, v.norm, v.test.Name(),
				report.Spread{Mean: bench.Mean(v.tps), SD: bench.SD(v.tps)}}
			if tokens {
				row = append(row, v.traffic()...)
			}
			if alone {
				row = append(row, bytesText(float64(v.memory)))
			}
			if ratios && v.ratio != nil {
				row = append(row, v.ratio.String(), v.ratio.Verdict())
			} else if ratios {
				row = append(row, nil, nil)
			}
			t.Add(row...)
		}
		t.Notes = []string{machine()}
		if format == "text" {
			t.Notes = []string{"", machine()}
		}
		return t
	}
	for _, key := range []string{"model_filename", "model_type", "model_size", "model_n_params", "n_threads", "norm", "test",
		"n_prompt", "n_gen", "n_depth", "n_sessions", "repetitions", "avg_ts", "stddev_ts", "gb_per_s", "of_reading_percent", "ratio", "ratio_low", "ratio_high", "verdict", "peak_memory", "cpu_info", "kernels"} {
		t.Columns = append(t.Columns, report.Column{Key: key})
	}
	for _, v := range all {
		row := []any{v.model, v.arch, v.size, v.params, v.threads, v.norm, v.test.Name(), v.test.Prompt, v.test.Gen, v.test.Depth, max(1, v.test.Sessions),
			len(v.tps), bench.Mean(v.tps), bench.SD(v.tps)}
		row = append(row, v.traffic()...)
		if v.ratio != nil {
			row = append(row, v.ratio.Factor, v.ratio.Low, v.ratio.High, v.ratio.Verdict())
		} else {
			row = append(row, nil, nil, nil, nil)
		}
		t.Add(append(row, v.memory, bench.CPU(), ops.ISA())...)
	}
	return t
}

// traffic returns what single tokens move through memory, in GB/s, and that in
// percent of what a plain loop reads in the same round.
func (v *benchResult) traffic() []any {
	if v.bytes == 0 {
		return []any{nil, nil}
	}
	shares := make([]float64, len(v.tps))
	for i, tps := range v.tps {
		shares[i] = 100 * tps * float64(v.bytes) / v.reading[i]
	}
	return []any{bench.Mean(v.tps) * float64(v.bytes) / 1e9, bench.Mean(shares)}
}

// machine says what the figures were measured on.
func machine() string {
	return fmt.Sprintf("%s; %s", bench.CPU(), readBuild())
}

// writeBenchstat writes each round as a line of Go's benchmark format
// (golang.org/design/14313-benchmark-format), for benchstat.
func writeBenchstat(w io.Writer, all []benchResult) error {
	lines := []string{"goos: " + runtime.GOOS, "goarch: " + runtime.GOARCH, "cpu: " + bench.CPU(), "Unit tokens/s better=higher"}
	plain := strings.NewReplacer(" ", "", "/", "_", "@", ",")
	for _, v := range all {
		for _, tps := range v.tps {
			lines = append(lines, fmt.Sprintf("BenchmarkInfer/model=%s/threads=%d/norm=%s/test=%s %d %.0f ns/op %.4f tokens/s",
				plain.Replace(v.model), v.threads, v.norm, plain.Replace(v.test.Name()), v.test.Tokens(), 1e9/tps, tps))
		}
	}
	_, err := io.WriteString(w, strings.Join(slices.Concat(lines, []string{""}), "\n"))
	return err
}
