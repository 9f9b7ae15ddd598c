package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/hf"
	"github.com/normswap/normswap/internal/tales"
	norms "github.com/normswap/normswap/norm"
	"github.com/normswap/normswap/quant"
	"github.com/spf13/cobra"
)

// modelFlags are the flags of every command that runs a model.
type modelFlags struct {
	threads    int
	context    int
	kv, act    choice
	tokenizer  choice
	norm       normFlag
	normLayers string
	foldGain   bool
	verify     bool
	finite     bool
	mmap       bool
	verbose    bool
	tanhGELU   bool
}

// maxThreads is more than any machine has.
const maxThreads = 1024

// add registers the flags; kv is the default type of the cache.
func (o *modelFlags) add(cmd *cobra.Command, kv string) {
	f := cmd.Flags()
	f.IntVar(&o.context, "ctx", 0, fmt.Sprintf("`positions` to make room for; 0: what the model was trained for, up to %d", engine.DefaultContext))
	o.addThreads(cmd)
	o.addMemory(cmd, kv)
	o.addNorm(cmd)
}

func (o *modelFlags) addThreads(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&o.threads, "threads", "t", 0, "`threads` that compute; 0: one for each physical core")
}

// addMemory registers what says in which form numbers lie in memory; kv is
// the default type of the cache.
func (o *modelFlags) addMemory(cmd *cobra.Command, kv string) { o.addNumbers(cmd, kv, "q8") }

// addMeasured is addMemory for measurements: rounding must not be taken for an effect of
// norms.
func (o *modelFlags) addMeasured(cmd *cobra.Command) { o.addNumbers(cmd, "f32", "f32") }

func (o *modelFlags) addNumbers(cmd *cobra.Command, kv, act string) {
	addChoice(cmd, &o.kv, "kv", kv, "type of the cached keys and values", "f16", "f32")
	addActivations(cmd, &o.act, act)
	cmd.Flags().BoolVar(&o.mmap, "mmap", false, "leave large models in the mapping of their file, shared with other processes, instead of reading them into huge pages")
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "say on stderr where the weights are")
}

func addActivations(cmd *cobra.Command, act *choice, value string) {
	addChoice(cmd, act, "act", value, "activations against quantised weights: 8 bits, or float and slower; bf16: those against weights in BF16 rounded to BF16, and faster", "q8", "f32", "bf16")
}

// addNorm registers the flags that swap norms.
func (o *modelFlags) addNorm(cmd *cobra.Command) {
	f := cmd.Flags()
	addNormFlag(cmd, &o.norm)
	f.BoolVar(&o.finite, "check-finite", false, "if a logit is not finite, say in which layer and tensor that began")
	f.StringVar(&o.normLayers, "norm-layers", "", "swap the norms of these `layers` only, such as 0-3,final")
	f.BoolVar(&o.foldGain, "fold-gain", false, "fold gain and bias of the norms into the matrices behind them too, where those are F32, F16 or BF16")
	f.BoolVar(&o.verify, "verify", false, "show on stderr what mean each norm reads")
}

// check tells what is wrong with the flags, before anything is loaded.
func (o *modelFlags) check() error {
	switch {
	case o.threads < 0:
		return usagef("--threads %d: want 0 (one for each physical core) or more", o.threads)
	case o.threads > maxThreads:
		return usagef("--threads %d: this machine has %d processors, and %d threads are the limit", o.threads, runtime.NumCPU(), maxThreads)
	case o.context < 0:
		return usagef("--ctx %d: want 0 (what the model was trained for) or more", o.context)
	case o.normLayers != "" && !o.norm.plain():
		return usagef("--norm-layers goes with one norm for all of them, not with --norm %s", o.norm.value)
	case o.normLayers != "" && (o.norm.value == string(engine.Native) || o.norm.value == string(engine.RMSFolded)):
		return usagef("--norm-layers says which norms --norm rms-naive or --norm layer swaps; add one of those")
	}
	return nil
}

// open loads a model, the one in this program if path is empty.
func (o *modelFlags) open(ctx context.Context, path string) (*engine.Model, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	m, err := o.load(ctx, f)
	switch {
	case errors.Is(err, context.Canceled):
		return nil, err // what was cancelled may still read the file
	case err != nil:
		f.Close()
		if path != "" {
			err = fmt.Errorf("%s: %w", path, err)
		}
		return nil, err
	}
	return m, nil
}

func (o *modelFlags) load(ctx context.Context, f *gguf.File) (*engine.Model, error) {
	if len(f.Tensors) == 0 {
		return nil, errors.New("the file has no tensors, only metadata; infer inspect and infer tokenize can use it, but it cannot run")
	}
	options, done, err := o.options(f, "loading")
	if err != nil {
		return nil, err
	}
	defer done()
	m, err := await(ctx, func() (*engine.Model, error) { return engine.Load(ctx, f, options) })
	if err != nil {
		return nil, runnable(err)
	}
	if w := m.Warnings(); len(w) > 0 {
		note("warning: %s", strings.Join(w, "; "))
	}
	if m.Note() != "" {
		note("%s", m.Note())
	}
	if o.verbose {
		where := "were read into memory"
		if m.Mapped() {
			where = "stay in the mapping of the file"
		}
		note("%d bytes of weights %s", f.DataBytes(), where)
	}
	if o.verify {
		if err := showRatios(ctx, "norms "+o.norm.value, m); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// options are those of the engine. A load that takes long shows how far it
// has come, until done is called.
func (o *modelFlags) options(f *gguf.File, label string) (options engine.Options, done func(), err error) {
	options = engine.Options{Tokenizer: tokenizerOptions(o.tokenizer), Threads: o.threads, Mapped: o.mmap, FloatActivations: o.act.value == "f32", BF16Activations: o.act.value == "bf16", FoldGain: o.foldGain, TanhGELU: o.tanhGELU}
	if err := o.norm.into(&options, f); err != nil {
		return options, nil, err
	}
	if o.normLayers != "" {
		a, err := arch.Load(f)
		if err == nil {
			options.NormSites, err = engine.ParseNormSites(o.normLayers, a.Layers)
		}
		if err != nil {
			return options, nil, usagef("--norm-layers: %w", runnable(err))
		}
	}
	options.Progress, done = track(bytesUnit, label)
	return options, done, nil
}

// variant loads a model once more, with another mode of its norms. A mode that
// takes no list of layers gets none.
func (o modelFlags) variant(ctx context.Context, m *engine.Model, norm engine.NormMode) (*engine.Model, error) {
	o.norm.value = string(norm)
	if norm != engine.RMSNaive && norm != engine.Centered {
		o.normLayers = ""
	}
	calibrated := false
	if rules, err := norms.ParseRules(string(norm)); err == nil {
		calibrated = slices.ContainsFunc(rules, func(r norms.Rule) bool { return r.Form.Calibrated() })
	}
	if calibrated {
		o.norm.value = string(engine.Native)
	}
	options, done, err := o.options(m.File, "folding")
	if err != nil {
		return nil, err
	}
	defer done()
	if calibrated {
		r, err := calibrate(ctx, m, string(norm), source{advice: "make a recipe on a text of this model with infer calibrate, and give it as --norm @FILE"}, extent{})
		if err != nil {
			return nil, err
		}
		options.Norm, options.Recipe = "", r
	}
	v, err := await(ctx, func() (*engine.Model, error) { return m.Variant(ctx, options) })
	if err == nil && v.Note() != "" {
		note("%s", v.Note())
	}
	return v, err
}

// runnable adds to the error of an unknown architecture where the known ones are
// listed.
func runnable(err error) error {
	var unknown *arch.UnknownError
	if errors.As(err, &unknown) {
		return fmt.Errorf("unknown architecture %.64q; infer archs lists those that can be run", unknown.Name)
	}
	return err
}

// newSession makes a session. Where the flags do not say how long it may
// get, it has room for need positions and more, if the model was trained for
// that many.
func (o *modelFlags) newSession(m *engine.Model, need int) (*engine.Session, error) {
	n := o.context
	if n == 0 {
		n = min(m.Context(), max(need, engine.DefaultContext))
	}
	return m.NewSession(engine.SessionOptions{Context: n, KV: o.cacheType(), CheckFinite: o.finite})
}

// cacheType is the type of the cached keys and values.
func (o *modelFlags) cacheType() quant.Type {
	if o.kv.value == "f16" {
		return quant.F16
	}
	return quant.F32
}

// openFile opens a GGUF file, a folder of transformers, a model of a store by its
// name, or the model in this program if path is empty.
// Its errors say what to do next.
func openFile(path string) (*gguf.File, error) {
	if path == "" {
		return tales.Open()
	}
	path, err := located(path)
	if err != nil {
		return nil, err
	}
	if hf.Is(path) {
		f, err := hf.Open(path)
		if err != nil {
			return nil, err
		}
		noteTokenizer(f)
		if unread, err := gguf.Get[[]string](&f.Meta, hf.KeyUnread); err == nil {
			note("warning: tensors that transformers does not read either are left out: %s", strings.Join(unread, ", "))
		}
		return f, nil
	}
	f, err := gguf.Open(path)
	if err == nil {
		noteTokenizer(f)
		return f, nil
	}
	if info, e := os.Stat(path); e == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder; %s", path, modelsIn(path))
	}
	var format *gguf.FormatError
	switch {
	case errors.As(err, &format) && format.Off == 0:
		return nil, fmt.Errorf("%w%s", err, notGGUF(path))
	case errors.As(err, &format) && format.Cut:
		return nil, fmt.Errorf("%w (is the download complete?)", err)
	}
	return nil, err
}

// noteTokenizer says why a model that came from a folder has no tokenizer.
func noteTokenizer(f *gguf.File) {
	if why, err := gguf.Get[string](&f.Meta, hf.KeyTokenizer); err == nil {
		note("warning: its tokenizer cannot be kept exactly, and is left out: %s; the model runs by token ids", why)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// modelsIn says which models there are in a folder.
func modelsIn(folder string) string {
	found, _ := filepath.Glob(filepath.Join(globQuote(folder), "*.gguf"))
	const show = 4
	where := folder
	if folder == "." {
		where = "this folder"
	}
	if len(found) == 0 {
		return "there is no .gguf file in " + where
	}
	more := ""
	if len(found) > show {
		more = fmt.Sprintf(" and %d more", len(found)-show)
		found = found[:show]
	}
	for i, p := range found {
		found[i] = filepath.Base(p)
	}
	return fmt.Sprintf("%s has %s%s", where, strings.Join(found, ", "), more)
}

// globQuote makes a folder's name a pattern that matches it.
func globQuote(s string) string {
	if filepath.Separator == '\\' { // where it cannot be quoted
		return s
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// notGGUF guesses what a file is instead, from how it begins.
func notGGUF(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 64)
	n, _ := f.Read(head)
	switch head := string(head[:n]); {
	case n == 0:
		return " (the file is empty)"
	case strings.HasPrefix(head, "version https://git-lfs"):
		return " (it is a Git LFS pointer: fetch the model itself with git lfs pull)"
	case strings.HasPrefix(head, "PK\x03\x04"), slices.Contains([]string{".safetensors", ".bin", ".pt", ".pth", ".json"}, filepath.Ext(path)):
		return " (name the folder that it lies in, with config.json beside it; infer convert makes a GGUF file of that)"
	case strings.HasPrefix(strings.ToLower(head), "<!doctype"), strings.HasPrefix(head, "<html"):
		return " (it is a web page: the download went wrong)"
	case isText(head):
		return " (it is a text: commands that read one take it behind -f, each file behind an -f of its own)"
	}
	return ""
}

// isText reports whether the beginning of a file is text, whose last rune may be cut.
func isText(head string) bool {
	whole := strings.TrimRightFunc(head, func(r rune) bool { return r == utf8.RuneError })
	return len(head)-len(whole) < utf8.UTFMax && utf8.ValidString(whole) && whole != "" && !strings.ContainsRune(whole, 0)
}

// completeModels completes the path of a model: folders, and files in GGUF.
func completeModels(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found, _ := filepath.Glob(globQuote(word) + "*")
	var paths []string
	directive := cobra.ShellCompDirectiveNoFileComp
	for _, p := range found {
		info, err := os.Stat(p)
		switch {
		case err != nil:
		case info.IsDir():
			paths = append(paths, p+string(filepath.Separator))
			directive |= cobra.ShellCompDirectiveNoSpace
		case strings.EqualFold(filepath.Ext(p), ".gguf"):
			paths = append(paths, p)
		}
	}
	return paths, directive
}

// since returns the seconds since t.
func since(t time.Time) float64 { return time.Since(t).Seconds() }
