// Command infer-ollama runs a LayerNorm model in Ollama's ggml back end. If the
// file is folded it does so with either norm, and compares: the logits with
// those of normswap's engine, and the speeds with each other.
//
//	infer-ollama folded.gguf -p "Once upon a time"
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"

	"github.com/normswap/normswap/arch"
	plugin "github.com/normswap/normswap/plugin/ollama"
	"github.com/ollama/ollama/ml"
)

// options are those of the command line.
type options struct {
	path, prompt             string
	n, prefill, rounds, cpus int
}

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // Ollama's
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2) // the flags have said why
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "infer-ollama:", err)
		stop()
		os.Exit(1)
	}
}

// parse reads the command line: the model may stand before or after flags.
func parse(args []string, usage io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("infer-ollama", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.Usage = func() {
		fmt.Fprintln(usage, "usage: infer-ollama MODEL.gguf [flags]")
		flags.PrintDefaults()
	}
	flags.StringVar(&o.prompt, "p", "Once upon a time", "the prompt")
	flags.IntVar(&o.n, "n", 32, "tokens to generate, and to time one by one")
	flags.IntVar(&o.prefill, "prefill", 128, "tokens to time in one batch")
	flags.IntVar(&o.rounds, "r", 5, "pairs of timings; 0: none")
	flags.IntVar(&o.cpus, "t", 1, "threads")
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		o.path, args = args[0], args[1:]
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.path = cmp.Or(o.path, flags.Arg(0))
	if o.path == "" || o.n < 1 || o.prefill < 1 || o.rounds < 0 || o.cpus < 1 {
		flags.Usage()
		return o, flag.ErrHelp
	}
	return o, nil
}

func run(ctx context.Context, w io.Writer, o options) error {
	m, err := plugin.Open(ctx, o.path, ml.BackendParams{AllocMemory: true, NumThreads: o.cpus})
	if err != nil {
		return err
	}
	defer m.Backend().Close()
	defer m.Config().Cache.Close()
	kinds := []arch.NormKind{arch.LayerNorm}
	if m.Norm() == arch.RMSNorm {
		kinds = append(kinds, arch.RMSNorm)
		fmt.Fprintf(w, "%s is folded: every writer was measured, and the norms run as RMSNorm\n\n", o.path)
	} else {
		fmt.Fprintf(w, "%s is not folded, and runs LayerNorm (see infer fold)\n\n", o.path)
	}
	limit := int(m.Backend().Config().Uint("context_length"))
	tokens, unread := m.Encode(o.prompt, true)
	if unread != nil { // a model without a vocabulary, as `infer synth` writes it
		tokens = ids(m, min(limit, 16))
	}
	s, err := plugin.NewSession(m, min(limit, max(len(tokens), o.prefill)+o.n))
	if err != nil {
		return err
	}
	if unread != nil {
		fmt.Fprintf(w, "no text: %v\n\n", unread)
	} else if err := generate(ctx, w, s, o); err != nil {
		return err
	}
	if err := agreement(ctx, w, m, s, kinds, tokens, o); err != nil {
		return err
	}
	if o.rounds == 0 {
		return nil
	}
	o.prefill = min(o.prefill, limit-1)
	o.n = min(o.n, limit-o.prefill)
	return speeds(ctx, w, m, s, kinds, o)
}

// generate prints the prompt and what follows it.
func generate(ctx context.Context, w io.Writer, s *plugin.Session, o options) error {
	fmt.Fprint(w, o.prompt)
	err := s.Generate(ctx, o.prompt, o.n, func(piece string) { fmt.Fprint(w, piece) })
	fmt.Fprint(w, "\n\n")
	return err
}

// ids returns n token ids from all over the vocabulary.
func ids(m plugin.Model, n int) []int32 {
	vocab := m.Backend().Get("token_embd.weight").Dim(1)
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32((3 + 7919*i) % vocab)
	}
	return tokens
}
