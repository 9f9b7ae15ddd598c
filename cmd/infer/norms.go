package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/internal/tales"
	norms "github.com/normswap/normswap/norm"
	"github.com/normswap/normswap/tokenizer"
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

// calibrate makes the recipe of rules on a text: that of a file, or the end of the
// text in this program, whose beginning models are measured on.
func calibrate(ctx context.Context, m *engine.Model, rules, file string) (*norms.Recipe, error) {
	text, name := tales.Text[len(tales.Text)*3/4:], "the end of the "+tales.TextName
	if file != "" {
		var err error
		if text, err = readText(ctx, file); err != nil {
			return nil, err
		}
		name = filepath.Base(file)
	}
	sequences, ids, random, err := sequencesOf(ctx, m, file, text, 0, calibrationTokens)
	if err != nil {
		return nil, err
	}
	if random {
		name = "random token ids, seed 1"
	}
	r, err := await(ctx, func() (*norms.Recipe, error) { return eval.Calibrate(ctx, m, rules, sequences) })
	if err != nil {
		return nil, err
	}
	if r.Tokens > 0 {
		r.Text, r.TextSum = name, eval.Digest(ids)
	}
	r.Version = versionName()
	return r, nil
}

// versionName is the version of this program.
func versionName() string { return readBuild().Version }

// sequencesOf cuts a text into what a model reads at once: windows of size tokens (0: the
// default) for a decoder, lines for an encoder. Of the text in this program there are
// at most some tokens, its lines cut to the context, and of no vocabulary as many random
// ids.
func sequencesOf(ctx context.Context, m *engine.Model, file, text string, size, tokens int) (all [][]int32, ids []int32, random bool, err error) {
	size = windowSize(m, size)
	bos := int32(-1)
	tok, tokErr := m.Tokenizer()
	if tokErr == nil && m.Arch.Spec.Encoder {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			s, err := tok.EncodeContext(ctx, line, tokenizer.EncodeOptions{AddSpecial: true})
			if err != nil {
				return nil, nil, false, leftOut(err)
			}
			if n := m.Context(); file == "" && len(s) > n {
				s = append(s[:n-1], s[len(s)-1])
			}
			if len(s) > m.Context() {
				return nil, nil, false, fmt.Errorf("the line %.40q has %d tokens, the context of the model is %d", line, len(s), m.Context())
			}
			if file == "" && len(ids)+len(s) > tokens {
				break
			}
			all, ids = append(all, s), append(ids, s...)
		}
	} else {
		if ids, random, err = textIDs(ctx, m, file, text, tokens); err != nil {
			return nil, nil, false, err
		}
		if file == "" {
			ids = ids[:min(len(ids), tokens)]
		}
		if tokErr == nil && tok.AddBOS() {
			bos, _ = tok.BOS()
		}
		all = eval.Windows(ids, size, bos)
	}
	if len(all) == 0 {
		return nil, nil, false, fmt.Errorf("the text has %s, less than one window of %d", plain.Count(len(ids), "token"), size)
	}
	return all, ids, random, nil
}

func newCalibrate() *cobra.Command {
	var o modelFlags
	var file string
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
  infer compare model.gguf --norm @fixed.json`,
		Args: atMostOneModel, ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if strings.HasPrefix(o.norm.value, "@") {
				return usagef("--norm %s: calibrate makes a recipe and takes none", o.norm.value)
			}
			return o.calibrateTo(cmd.Context(), stdout, modelArg(args), file)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "a `file` with the text, a line for each text of an encoder (default: the end of the fairy tales in this program)")
	o.addThreads(cmd)
	addTokenizer(cmd, &o.tokenizer)
	addNormFlag(cmd, &o.norm)
	return cmd
}

func (o modelFlags) calibrateTo(ctx context.Context, w io.Writer, path, file string) error {
	rules := o.norm.value
	o.norm.value, o.act.value = string(engine.Native), "f32"
	m, err := o.open(ctx, path)
	if err != nil {
		return err
	}
	defer m.Close()
	r, err := calibrate(ctx, m, rules, file)
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
func windowSize(m *engine.Model, size int) int {
	if size > 0 {
		return size
	}
	return min(defaultWindow, m.Context())
}
