package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// referenceIDs are the tokens that the fixtures' logits belong to, with commas
// between them.
func referenceIDs() string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(testdata.Tokens()), "[]"), " ", ",")
}

// logitsOf runs infer logits on a fixture.
func logitsOf(t testing.TB, model string, flags ...string) []float32 {
	t.Helper()
	out := filepath.Join(t.TempDir(), "logits")
	works(t, append([]string{"logits", testdata.Path(t, model), "--tokens", referenceIDs(), "--out", out}, flags...)...)
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return testdata.Floats(t, data)
}

func TestLogits(t *testing.T) {
	run := func(model string, flags ...string) []float32 { return logitsOf(t, model, flags...) }
	want := testdata.Logits(t, "archs/llama.gguf")
	got := run("archs/llama.gguf")
	if e := testdata.NMSE(got, want); !(e <= 1e-10) {
		t.Errorf("llama: NMSE %g", e)
	}
	if e := testdata.NMSE(run("archs/llama.gguf", "--kv", "f16"), want); !(e > 1e-12 && e <= 1e-5) {
		t.Errorf("llama with a cache in half precision: NMSE %g, want some and not much", e)
	}
	if e := testdata.NMSE(run("archs/gpt2.gguf"), testdata.Logits(t, "archs/gpt2.gguf")); !(e <= 1e-7) {
		t.Errorf("gpt2: NMSE %g", e)
	}
	if e := testdata.NMSE(run("archs/gpt2.gguf", "--norm", "rms-folded"), run("archs/gpt2.gguf")); !(e <= 1e-11) {
		t.Errorf("gpt2 folded: NMSE %g to native", e)
	}
	spaced := works(t, "logits", testdata.Path(t, "archs/llama.gguf"), "--tokens", strings.ReplaceAll(referenceIDs(), ",", " "), "--out", "-")
	if !slices.Equal(testdata.Floats(t, []byte(spaced)), got) {
		t.Error("on stdout, and with spaces between the ids, the logits differ")
	}
}

// Activations in 8 bits and in float are not the same, and both near what
// llama.cpp computes with 8 bits.
func TestLogitsQuantized(t *testing.T) {
	want := testdata.Logits(t, "quantized/gpt2-256-Q8_0.gguf")
	q8 := logitsOf(t, "quantized/gpt2-256-Q8_0.gguf")
	f32 := logitsOf(t, "quantized/gpt2-256-Q8_0.gguf", "--act", "f32")
	for act, got := range map[string][]float32{"q8": q8, "f32": f32} {
		if e := testdata.NMSE(got, want); !(e <= 2e-3) {
			t.Errorf("--act %s: NMSE %g", act, e)
		}
	}
	if slices.Equal(q8, f32) {
		t.Error("--act f32 changes nothing")
	}
}

func TestTokenize(t *testing.T) {
	model := testdata.Path(t, stories)
	ids := works(t, "tokenize", model, "Once upon a time", "--ids")
	if ids != "403 407 261 378\n" {
		t.Errorf("ids %q", ids)
	}
	var lines strings.Builder
	fmt.Fprintf(&lines, "%6d %q\n%6d %q\n%6d %q\n%6d %q\n", 403, " Once", 407, " upon", 261, " a", 378, " time")
	if got := works(t, "tokenize", model, "Once upon a time"); got != lines.String() {
		t.Errorf("%q, want %q", got, lines.String())
	}
	if got := works(t, "tokenize", model, "Once upon a time", "--ids", "--special"); got != "1 "+ids {
		t.Errorf("with special tokens %q", got)
	}
	if r := inferWith(t, "Once upon a time", "tokenize", model, "--ids"); r.stdout != ids {
		t.Errorf("from stdin %q", r.stdout)
	}
	tokens := inferJSON[[]struct {
		ID           int32
		Piece, Bytes string
	}](t, "tokenize", model, "Onceé\xff", "--json")
	last := tokens[len(tokens)-1]
	if tokens[0].Piece != " Once" || last.Bytes != "ff" {
		t.Errorf("%+v", tokens)
	}
	if got := works(t, "tokenize", model, "", "--ids"); got != "\n" {
		t.Errorf("nothing has the ids %q", got)
	}
}

// Files that hold only a vocabulary can be read, and have the ids that
// llama.cpp gives.
func TestTokenizeVocabulary(t *testing.T) {
	vocab := testdata.Path(t, "vocab/ggml-vocab-gpt-2.gguf")
	texts := strings.Split(string(testdata.Read(t, "vocab/ggml-vocab-gpt-2.gguf.inp")), "\n__ggml_vocab_test__\n")
	ids := strings.Split(string(testdata.Read(t, "vocab/ggml-vocab-gpt-2.gguf.out")), "\n")
	for i, text := range texts[:12] {
		r := inferWith(t, text, "tokenize", vocab, "-f", "-", "--ids")
		if got, want := strings.TrimSpace(r.stdout), strings.TrimSpace(ids[i]); got != want {
			t.Errorf("%q: %q, want %q; %s", text, got, want, r.stderr)
		}
	}
}

func TestInspect(t *testing.T) {
	path := testdata.Path(t, "archs/gpt2.gguf")
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := arch.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	in := inferJSON[struct {
		Architecture string
		Parameters   int64
		Model        struct{ Dim, Layers, Heads int }
		Metadata     map[string]any
		Norms        []struct{ Site, Kind string }
		Tensors      []struct {
			Name, Type    string
			Offset, Bytes int64
		}
	}](t, "inspect", path, "--json")
	if in.Architecture != "gpt2" || in.Parameters != arch.Parameters(f) || in.Model.Dim != m.Dim || in.Model.Layers != m.Layers {
		t.Errorf("%+v", in)
	}
	if len(in.Tensors) != len(f.Tensors) || len(in.Metadata) != f.Meta.Len() || len(in.Norms) != len(m.Norms()) {
		t.Errorf("%d tensors, %d keys, %d norms", len(in.Tensors), len(in.Metadata), len(in.Norms))
	}
	text := works(t, "inspect", path)
	for _, want := range []string{"architecture gpt2", "general.architecture", "blk.1.ffn_norm ", "LayerNorm", "blk.0.attn_qkv.weight"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// What cannot be run can still be looked at.
func TestInspectUnknown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "unknown.gguf")
	writeModel(t, path, "abacus")
	text := works(t, "inspect", path)
	if !strings.Contains(text, "cannot be run") || !strings.Contains(text, "abacus") || !strings.Contains(text, "token_embd.weight") {
		t.Errorf("%s", text)
	}
}

func TestSynth(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.gguf")
	args := []string{"synth", "--shape", "gpt2-124m", "--type", "q4_0", "-o", path}
	works(t, args...)
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	infer(t, args...).fails(t, 1, path, "--force")
	works(t, append(args, "--force")...)
	again, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != string(again) {
		t.Error("the same seed gives other bytes")
	}
	if got := len(works(t, "logits", path, "--tokens", "1,2", "--out", "-")); got != 2*50257*4 {
		t.Errorf("%d bytes of logits", got)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files left: %v", left)
	}
	works(t, append(args, "--force", "--layers", "1")...)
	if text := works(t, "inspect", path); !strings.Contains(text, "blk.0.") || strings.Contains(text, "blk.1.") {
		t.Errorf("one layer:\n%s", text)
	}
}

func TestArchs(t *testing.T) {
	rows := inferJSON[[]map[string]string](t, "archs", "--json")
	if len(rows) != len(arch.All()) {
		t.Fatalf("%d rows, want %d", len(rows), len(arch.All()))
	}
	for _, r := range rows {
		s, ok := arch.Lookup(r["architecture"])
		if !ok || r["norm"] != s.Norm.String() || r["block"] == "" || r["ffn"] == "" {
			t.Errorf("%v", r)
		}
		if r["position"] == "" {
			t.Errorf("%s: no position", s.Name)
		}
	}
	if text := works(t, "archs"); !strings.Contains(text, "gptneox") {
		t.Errorf("%s", text)
	}
}

func TestVersion(t *testing.T) {
	if v := inferJSON[map[string]any](t, "version", "--json"); v["go"] == "" || v["kernels"] == "" {
		t.Errorf("%v", v)
	}
	text := works(t, "version")
	if !strings.HasPrefix(text, "infer ") || strings.Count(text, "\n") != 1 {
		t.Errorf("%q", text)
	}
	if got := works(t, "--version"); got != text {
		t.Errorf("--version: %q, want %q", got, text)
	}
	if more := works(t, "version", "-v"); !strings.HasPrefix(more, text) || !slices.Contains(strings.Fields(more), "Q4_K") || !strings.Contains(more, "all else: ") {
		t.Errorf("-v: %q", more)
	}
}

func TestManual(t *testing.T) {
	page := works(t, "man")
	if !strings.HasPrefix(page, ".TH INFER 1\n") {
		t.Errorf("it begins %.40q", page)
	}
	for _, want := range []string{".SH OPTIONS", `\fB\-n, \-\-tokens\fR`, ".SS tokenize", ".SH EXAMPLES"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestInstructionSet(t *testing.T) {
	t.Setenv("NORMSWAP_ISA", "generic")
	if v := inferJSON[map[string]any](t, "version", "--json"); v["kernels"] != "generic" || v["one_row"] != nil {
		t.Errorf("%v", v)
	}
	if v := inferJSON[struct {
		Rows map[string]string `json:"one_row"`
	}](t, "version", "-v", "--json"); len(v.Rows) != 28 || v.Rows["IQ4_XS"] != "generic" {
		t.Errorf("-v: %v", v)
	}
	t.Setenv("NORMSWAP_ISA", "abacus")
	infer(t, "version").fails(t, 2, "NORMSWAP_ISA", "abacus", "generic")
}

// Every command explains itself, with an example.
func TestHelp(t *testing.T) {
	help := works(t, "--help")
	names := commandNames(t)
	if len(names) < 16 {
		t.Errorf("commands %q in %s", names, help)
	}
	for _, name := range append(names, "") {
		text := works(t, strings.Fields(name+" --help")...)
		if !strings.Contains(text, "Usage:\n") || !strings.Contains(text, "\nExamples:\n") || !strings.Contains(text, "--help") || len(text) < 100 {
			t.Errorf("infer %s --help: %q", name, text)
		}
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(line) - 1; n > 80 {
				t.Errorf("infer %s --help: a line of %d characters: %s", name, n, line)
			}
		}
		if got := works(t, strings.Fields("help "+name)...); got != text {
			t.Errorf("infer help %s: %q, want what --help shows", name, got)
		}
	}
}

// commandNames are those of all commands, the hidden ones apart.
func commandNames(t *testing.T) (names []string) {
	for line := range strings.Lines(works(t, "__complete", "help", "")) {
		if name, _, ok := strings.Cut(line, "\t"); ok {
			names = append(names, name)
		}
	}
	return names
}

func TestCompletion(t *testing.T) {
	model := testdata.Path(t, stories)
	dir := filepath.Dir(model)
	complete := func(args ...string) []string {
		return strings.Split(works(t, append([]string{"__complete"}, args...)...), "\n")
	}
	for _, command := range [][]string{{}, {"inspect"}, {"tokenize"}, {"logits"}} {
		if got := complete(append(command, filepath.Join(dir, "st"))...); got[0] != model {
			t.Errorf("infer %v: %q, want %q", command, got, model)
		}
		if got := complete(append(command, filepath.Dir(dir)+"/tr")...); got[0] != dir+string(filepath.Separator) {
			t.Errorf("infer %v: %q, want the folder %q", command, got, dir)
		}
	}
	if got := complete("--norm", "rms"); !slices.Contains(got, "rms-folded") {
		t.Errorf("norms: %q", got)
	}
	if got := complete("compare", "--norm", "native,rms"); !slices.Contains(got, "native,rms-naive") || slices.Contains(got, "native,native") {
		t.Errorf("lists of norms: %q", got)
	}
	if got := complete("bench", "--norm", ""); !slices.Contains(got, "layer") {
		t.Errorf("bench --norm: %q", got)
	}
	if got := complete("geometry", model, filepath.Join(dir, "st")); got[0] != model {
		t.Errorf("the second model: %q", got)
	}
	if got := complete("compare", "--format", ""); !slices.Contains(got, "md") {
		t.Errorf("--format: %q", got)
	}
	if got := complete("help", "insp"); !strings.HasPrefix(got[0], "inspect") {
		t.Errorf("help: %q", got)
	}
	if got := complete("--kv", ""); !slices.Contains(got, "f16") {
		t.Errorf("--kv: %q", got)
	}
	if got := complete("synth", "--shape", ""); !slices.Contains(got, "llama-1B") {
		t.Errorf("--shape: %q", got)
	}
	if got := complete("insp"); !strings.HasPrefix(got[0], "inspect") {
		t.Errorf("commands: %q", got)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if len(works(t, "completion", shell)) < 1000 {
			t.Errorf("no completion for %s", shell)
		}
	}
}
