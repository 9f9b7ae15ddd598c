package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/normswap/normswap/corpus"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/internal/tales"
	norms "github.com/normswap/normswap/norm"
	"github.com/spf13/cobra"
)

// A normFlag says what becomes of the norms: rules, or @FILE with a recipe.
type normFlag struct{ value string }

func addNormFlag(cmd *cobra.Command, n *normFlag) {
	n.value = string(engine.Native)
	cmd.Flags().Var(n, "norm", "`form` of the norms: as trained (native), rms-folded, rms-naive, rms-readers, layer, none, prms:P and others (infer calibrate --help), also by place (ln1=rms-naive,final=layer), or @FILE, a recipe")
	// The only error is a flag registered twice.
	_ = cmd.RegisterFlagCompletionFunc("norm", cobra.FixedCompletions(modeNames(), cobra.ShellCompDirectiveDefault))
}

func (n *normFlag) String() string { return n.value }
func (n *normFlag) Type() string   { return "form" }

func (n *normFlag) Set(s string) error {
	if strings.HasPrefix(s, "@") {
		if len(s) == 1 {
			return errors.New("the @ wants a file behind it, a recipe")
		}
		n.value = s
		return nil
	}
	if _, err := norms.ParseRules(s); err != nil {
		if !strings.ContainsAny(s, "=:,") { // a word
			return (&choice{choices: norms.Names()}).Set(s)
		}
		return errors.New(strings.TrimPrefix(err.Error(), "norm: "))
	}
	if !strings.ContainsAny(s, "=:,") {
		s = strings.ToLower(s)
	}
	n.value = s
	return nil
}

// plain reports whether the flag is one form for all norms.
func (n *normFlag) plain() bool { return !strings.ContainsAny(n.value, "=,@") }

// into puts what the flag says into options for a file.
func (n *normFlag) into(o *engine.Options, f *gguf.File) error {
	path, recipe := strings.CutPrefix(n.value, "@")
	if !recipe {
		o.Norm = engine.NormMode(n.value)
		return nil
	}
	r, err := norms.Read(path)
	if err != nil {
		return err
	}
	if r.ModelSum != "" {
		sum, err := hashSource(context.Background(), f)
		if err != nil {
			return err
		}
		if err := r.For(sum); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	o.Recipe = r
	return nil
}

const calibrationTokens = 8192 // of the text in the program

// calibrate makes the recipe of rules on a text that was found, by default the end of that
// in this program, whose beginning models are measured on.
func calibrate(ctx context.Context, m *engine.Model, rules string, text source, part extent) (*norms.Recipe, error) {
	if len(text.files) == 0 {
		tail := tales.Text[len(tales.Text)*3/4:]
		text.held, text.name = &tail, "the end of the "+tales.TextName
		part.tokens = cmp.Or(part.tokens, calibrationTokens)
	}
	sequences, sum, err := text.sequences(ctx, m, part)
	if err != nil {
		return nil, fmt.Errorf("the text that constants are found on: %w", err)
	}
	r, err := await(ctx, func() (*norms.Recipe, error) { return eval.Calibrate(ctx, m, rules, sequences) })
	if err != nil {
		return nil, err
	}
	if _, none := m.Tokenizer(); none != nil && text.ids.value == "" {
		note("constants are found on %s, which are no text that the model was trained on", text.title(m))
	}
	if r.Tokens > 0 {
		r.Text, r.TextSum = text.title(m), sum
	}
	r.Version = versionName()
	return r, nil
}

// versionName is the version of this program.
func versionName() string { return readBuild().Version }

// An extent is how much is read of a text, and in what pieces.
type extent struct {
	size    int    // tokens of a window of a decoder; 0: the default
	tokens  int    // at most; 0: all
	windows int    // at most; 0: all
	fewer   string // how a part of a text is chosen that is too long
}

// sequences are what a model reads of a text at once, windows of a decoder and lines of an
// encoder, and the hash of what was read, as compare and perplexity have it.
func (s *source) sequences(ctx context.Context, m *engine.Model, part extent) (all [][]int32, sum string, err error) {
	_, none := m.Tokenizer()
	lines := none == nil && m.Arch.Spec.Encoder && s.ids.value == ""
	if lines && part.size != 0 {
		return nil, "", usagef("--ctx %d: an encoder reads a line of the text at once, and has no windows", part.size)
	}
	size, err := windowSize(m, part.size)
	if err != nil {
		return nil, "", err
	}
	text, err := s.read(ctx, m, corpus.Options{Size: size, Limit: part.tokens}, cmp.Or(part.tokens, calibrationTokens))
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if ctx.Err() == nil { // what was given up may still read
			text.close()
		}
	}()
	if all, err = text.hold(ctx, part.windows, part.fewer); err != nil {
		return nil, "", err
	}
	if lines {
		return all, eval.Digest(slices.Concat(all...)), nil
	}
	last := all[len(all)-1]
	if len(last) == size {
		return all, text.Digest(), nil
	}
	if all = all[:len(all)-1]; len(all) == 0 {
		return nil, "", fmt.Errorf("the text has %s, less than one window of %d; choose a smaller --ctx, or a longer text", plain.Count(len(last), "token"), size)
	}
	return all, text.Digest(), nil
}

func newCalibrate() *cobra.Command {
	var o textFlags
	var list strings.Builder
	for i, k := range norms.Kinds() {
		fmt.Fprintf(&list, "  %-14s %s\n", norms.Names()[i], k.Short)
	}
	cmd := &cobra.Command{
		Use:   "calibrate [MODEL]",
		Short: "Make a recipe: which norms become what, with their constants",
		Long: `calibrate finds the constants that forms of norms need, such as the scale of a
fixed norm, on a text that should not be the one you measure on, and prints a
recipe, a small JSON file. Every command that runs a model takes it with
--norm @FILE, and refuses it for another model.

The forms:
` + list.String() + `
--norm names one form for all norms, or forms by place with commas between:
ln1=fixed,final=none. A place is a name, a pattern such as blk.*.attn_norm, a
role (ln1, ln2, final, embedding, qk, post) or layers (0-3); the last one
that fits a norm counts, and a norm without one stays as trained.`,
		Example: `  infer calibrate model.gguf --norm fixed > fixed.json
  infer calibrate model.gguf --norm ln1=fixed,final=none -f wiki.txt > mix.json
  infer calibrate model.gguf --norm fixed -f x.bin --ids uint16 > ids.json
  infer compare model.gguf --norm @fixed.json`,
		Args: atMostOneModel, ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if strings.HasPrefix(o.norm.value, "@") {
				return usagef("--norm %s: calibrate makes a recipe and takes none", o.norm.value)
			}
			return o.calibrateTo(cmd.Context(), stdout, modelArg(args))
		},
	}
	f := cmd.Flags()
	o.source.add(cmd)
	f.Lookup("file").Usage = "a `file` with the text, or a folder or pattern of such, compressed or not; -: stdin; -f again for more (default: the end of the fairy tales in this program)"
	f.IntVar(&o.tokens, "tokens", 0, fmt.Sprintf("read at most this number of `tokens`; 0: all of -f, or %d of the tales", calibrationTokens))
	f.IntVar(&o.context, "ctx", 0, fmt.Sprintf("`tokens` of a window; 0: %d, or what the model was trained for if that is less", defaultWindow))
	o.addThreads(cmd)
	addTokenizer(cmd, &o.tokenizer)
	addNormFlag(cmd, &o.norm)
	return cmd
}

func (o textFlags) calibrateTo(ctx context.Context, w io.Writer, path string) error {
	if err := o.source.find(ctx, 1); err != nil {
		return err
	}
	rules := o.norm.value
	o.norm.value, o.act.value = string(engine.Native), "f32"
	m, err := o.open(ctx, path)
	if err != nil {
		return err
	}
	defer m.Close()
	r, err := calibrate(ctx, m, rules, o.source, extent{size: o.context, tokens: o.tokens, fewer: "choose a part with --tokens"})
	if err != nil {
		return err
	}
	r.Model = modelName(path)
	if r.ModelSum, err = hashSource(ctx, m.File); err != nil {
		return err
	}
	return plain.WriteJSON(w, r, " ")
}

// windowSize is the number of tokens of a window; size 0 stands for the default.
func windowSize(m *engine.Model, size int) (int, error) {
	if size > m.Context() {
		return 0, fmt.Errorf("--ctx %d: the model was trained for %d positions", size, m.Context())
	}
	return cmp.Or(size, min(defaultWindow, m.Context())), nil
}
