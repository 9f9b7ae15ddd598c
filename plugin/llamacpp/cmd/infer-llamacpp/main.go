// Command infer-llamacpp swaps and measures the norms of a GGUF inside
// llama.cpp, whose shared libraries it is given.
//
//	infer-llamacpp compare model.gguf --libs DIR --norm rms-naive -f text.txt
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/plugin/llamacpp"
	"github.com/normswap/normswap/report"
)

const usage = `usage: infer-llamacpp COMMAND MODEL.gguf [flags]

  sites      list the norms of llama.cpp's graph
  compare    what --norm does to the predictions
  geometry   what the norms do to hidden vectors; -o DIR writes the report
  states     write the vectors that a norm reads (--site NAME -o FILE.npy)
  bench      what the callback costs

flags:
`

// options are those of the command line.
type options struct {
	command, model         string
	libs, file, norm, site string
	out                    string
	tokens, ctx, cpus, ngl int
	rounds                 int
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2) // the flags have said why
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "infer-llamacpp:", err)
		stop()
		os.Exit(1)
	}
}

// parse reads the command line: command and model stand before the flags.
func parse(args []string, errs io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("infer-llamacpp", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() {
		fmt.Fprint(errs, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.libs, "libs", "", "`folder` of libllama and libggml (default: the variable "+llamacpp.Env+")")
	flags.StringVar(&o.file, "f", "", "`file` with the text (default: fairy tales in this program)")
	flags.IntVar(&o.tokens, "tokens", 2048, "read at most this number of `tokens`; 0: all")
	flags.IntVar(&o.ctx, "ctx", 0, "`tokens` of a window; 0: 512, or what the model was trained for if that is less")
	flags.StringVar(&o.norm, "norm", "native", "`modes`, one or by site (ln1=rms-naive,output_norm=fixed): "+strings.Join(llamacpp.Modes, ", "))
	flags.StringVar(&o.site, "site", "output_norm", "`name` or pattern of the norms whose vectors are written")
	flags.StringVar(&o.out, "o", "", "the `folder` of a report, or the .npy file of states")
	flags.IntVar(&o.cpus, "t", 0, "`threads`; 0: one for each processor")
	flags.IntVar(&o.ngl, "ngl", 0, "`layers` that a GPU computes; -1: all")
	flags.IntVar(&o.rounds, "r", 5, "rounds of bench")
	var words []string
	for len(args) > 0 && len(words) < 2 && !strings.HasPrefix(args[0], "-") {
		words, args = append(words, args[0]), args[1:]
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if len(words) != 2 || flags.NArg() > 0 {
		flags.Usage()
		return o, errors.New("want a command and a model")
	}
	o.command, o.model = words[0], words[1]
	return o, nil
}

func run(ctx context.Context, w io.Writer, o options) error {
	do := map[string]func(context.Context, io.Writer, options, *llamacpp.Model, []int32) error{
		"sites": sites, "compare": compare, "geometry": measure, "states": states, "bench": bench,
	}[o.command]
	if do == nil {
		return fmt.Errorf("no command %q; there are sites, compare, geometry, states and bench", o.command)
	}
	lib, err := llamacpp.Load(o.libs)
	if err != nil {
		return err
	}
	m, err := lib.Open(o.model, llamacpp.Options{Context: o.ctx, Threads: o.cpus, GPULayers: o.ngl})
	if err != nil {
		return err
	}
	defer m.Close()
	text := tales.Text
	if o.file != "" {
		b, err := os.ReadFile(o.file)
		if err != nil {
			return err
		}
		text = string(b)
	}
	var ids []int32
	if o.command != "sites" && o.command != "bench" {
		if ids, err = m.Tokenize(text); err != nil {
			return err
		}
		if o.tokens > 0 {
			ids = ids[:min(o.tokens, len(ids))]
		}
	}
	return do(ctx, w, o, m, ids)
}

// swap makes the hook of --norm; nil for native. Modes that need constants take
// them from the first half of the text, and ids become the other.
func swap(ctx context.Context, o options, m *llamacpp.Model, ids *[]int32) (*llamacpp.Hook, error) {
	if o.norm == "native" {
		return nil, nil
	}
	if strings.Contains(o.norm, "fixed") {
		half := len(*ids) / 2
		if err := m.Calibrate(ctx, m.Windows((*ids)[:half])); err != nil {
			return nil, err
		}
		*ids = (*ids)[half:]
	}
	return m.Swap(o.norm)
}

func sites(_ context.Context, w io.Writer, _ options, m *llamacpp.Model, _ []int32) error {
	for _, s := range m.Sites() {
		kind := "RMSNorm"
		if s.Center {
			kind = "LayerNorm"
		}
		fmt.Fprintf(w, "%-28s %-9s %4d x %-5d eps %g\n", s.Name, kind, s.Groups, s.Width, s.Eps)
	}
	return nil
}

func compare(ctx context.Context, w io.Writer, o options, m *llamacpp.Model, ids []int32) error {
	h, err := swap(ctx, o, m, &ids)
	if err != nil {
		return err
	}
	if h == nil {
		return errors.New("compare needs a norm mode other than native: --norm rms-naive")
	}
	d, err := m.Compare(ctx, ids, h)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s in llama.cpp, %d tokens\n", llamacpp.ModelName(o.model), d.Tokens)
	fmt.Fprintf(w, "cross entropy, native    %.4f nats a token\n", d.Native)
	fmt.Fprintf(w, "cross entropy, %-9s %.4f\n", o.norm, d.Swapped)
	fmt.Fprintf(w, "KL divergence            %.3g +- %.2g\n", d.KL, d.KLError)
	fmt.Fprintf(w, "same top-1               %.2f %%\n", 100*d.SameTop1)
	fmt.Fprintf(w, "NMSE of the logits       %.3g\n", d.NMSE)
	return nil
}

func measure(ctx context.Context, w io.Writer, o options, m *llamacpp.Model, ids []int32) error {
	h, err := swap(ctx, o, m, &ids)
	if err != nil {
		return err
	}
	text := tales.TextName
	if o.file != "" {
		text = filepath.Base(o.file)
	}
	state, err := m.Geometry(ctx, llamacpp.ModelName(o.model), text, ids, h)
	if err != nil {
		return err
	}
	result, err := state.Result(false)
	if err != nil {
		return err
	}
	b := &report.Bundle{Command: strings.Join(append([]string{"infer-llamacpp"}, os.Args[1:]...), " "), Results: []*geometry.Result{result}}
	if o.out != "" {
		if err := b.WriteDir(ctx, o.out); err != nil {
			return err
		}
	}
	return b.Text(w)
}
