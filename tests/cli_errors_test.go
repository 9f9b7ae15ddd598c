package tests

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/quant"
)

// writeModel writes a file with an architecture and one tensor.
func writeModel(t *testing.T, path, arch string) {
	t.Helper()
	var meta gguf.Meta
	if err := meta.Set("general.architecture", arch); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := gguf.NewWriter(f, 3, &meta, []gguf.TensorInfo{{Name: "token_embd.weight", Type: quant.F32, Dims: []int{2, 2}}})
	if err == nil {
		err = w.Tensor("token_embd.weight", make([]byte, 16))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// retype writes a copy of a model in which one tensor has another type.
func retype(t *testing.T, from, to, tensor string, typ byte) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(data), tensor) + len(tensor)
	dims := int(data[at])
	data[at+4+8*dims] = typ
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, data []byte) string {
		if err := os.WriteFile(in(name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		return in(name)
	}
	whole := testdata.Read(t, stories)
	truncated := write("truncated.gguf", whole[:len(whole)/2])
	writeModel(t, in("unknown.gguf"), "abacus")
	retype(t, testdata.Path(t, stories), in("type.gguf"), "blk.0.ffn_down.weight", 99)
	vocabulary := in("vocabulary.gguf")
	f, err := os.Create(vocabulary)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := gguf.Parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := gguf.Write(f, &gguf.File{Version: 3, Alignment: 32, Meta: parsed.Meta}); err != nil {
		t.Fatal(err)
	}
	f.Close()

	for name, c := range map[string]struct {
		path  string
		words []string
	}{
		"wrong path":           {in("nowhere.gguf"), []string{in("nowhere.gguf"), "truncated.gguf"}},
		"wrong folder":         {filepath.Join(dir, "a", "b.gguf"), []string{"b.gguf"}},
		"folder":               {dir, []string{dir, "is a folder", "truncated.gguf"}},
		"truncated":            {truncated, []string{truncated, `tensor "`, "download"}},
		"unknown architecture": {in("unknown.gguf"), []string{in("unknown.gguf"), `"abacus"`, "infer archs"}},
		"unsupported type":     {in("type.gguf"), []string{in("type.gguf"), "blk.0.ffn_down.weight", "type 99"}},
		"vocabulary only":      {vocabulary, []string{vocabulary, "no tensors"}},
		"empty":                {write("empty.gguf", nil), []string{in("empty.gguf"), "empty"}},
		"text":                 {write("text.gguf", []byte("hello there")), []string{in("text.gguf"), "not a GGUF", "it is a text", "-f"}},
		"Git LFS":              {write("lfs.gguf", []byte("version https://git-lfs.github.com/spec/v1\n")), []string{"git lfs pull"}},
		"safetensors":          {write("model.safetensors", []byte("\x10\x00\x00\x00\x00\x00\x00\x00{}")), []string{"convert"}},
	} {
		t.Run(name, func(t *testing.T) {
			infer(t, c.path, "-p", "x", "-n", "1").fails(t, 1, c.words...)
			infer(t, "logits", c.path, "--tokens", "1", "--out", in("out")).fails(t, 1, c.words...)
			if name != "unknown architecture" && name != "unsupported type" && name != "vocabulary only" {
				infer(t, "inspect", c.path).fails(t, 1, c.words...)
				infer(t, "tokenize", c.path, "x").fails(t, 1, c.words...)
			}
		})
	}
}

func TestRunErrors(t *testing.T) {
	small, letters := testdata.Path(t, stories), testdata.Path(t, sorter)
	text := filepath.Join(t.TempDir(), "tale.txt")
	if err := os.WriteFile(text, []byte("Once upon a time"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{small, "-p", "one two three four five", "--ctx", "4"}, []string{"the prompt has", "room for 4", "--ctx"}},
		{[]string{letters, "-p", "ABCABCABCABC"}, []string{"12 tokens", "room for 11", "shorten"}},
		{[]string{letters, "-p", "xyz"}, []string{"the prompt", `"x"`}},
		{[]string{letters, "-p", ""}, []string{"the prompt is empty", "-p"}},
		{[]string{letters, "-p", "A", "--ctx", "12"}, []string{"12", "11"}},
		{[]string{small, "-p", "x", "--ctx", "100000000000"}, []string{"context of 100000000000", "memory", "--ctx"}},
		{[]string{"convert", small, "-o", text + "2"}, []string{small, "is no folder"}},
		{[]string{"geometry", small, text}, []string{text, "-f"}}, // before small is measured
		{[]string{"-p", "x", testdata.Path(t, "encoders/bert-rank.gguf")}, []string{"infer embed"}},
		{[]string{small, "-p", "x", "--chat"}, []string{"chat template", "--chat-template"}},
		{[]string{small, "-p", "x", "--chat-template", "none-such"}, []string{"none-such", "chatml"}},
		{[]string{small, "-f", "/no/such/file"}, []string{"/no/such/file"}},
		{[]string{"-p", "x", "--ctx", "100000000000"}, []string{"memory"}},
		{[]string{testdata.Path(t, "archs/gpt2.gguf"), "-p", "x"}, []string{"tokenizer", "infer logits"}},
		{[]string{"logits", testdata.Path(t, "archs/gpt2.gguf"), "--tokens", "1,128", "--out", filepath.Join(t.TempDir(), "x")}, []string{"128"}},
		{[]string{"logits", testdata.Path(t, "archs/gpt2.gguf"), "--tokens", "1", "--out", "/no/such/folder/x"}, []string{"/no/such/folder/x"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) { infer(t, c.args...).fails(t, 1, c.words...) })
	}
}

func TestUsageErrors(t *testing.T) {
	model := testdata.Path(t, stories)
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{"--tmp", "0"}, []string{"--tmp", "did you mean --temp?"}},
		{[]string{"--top_k", "0"}, []string{"did you mean --top-k?"}},
		{[]string{"--repeat", "1"}, []string{"did you mean --repeat-penalty?"}},
		{[]string{"--zzzzzz"}, []string{"--zzzzzz", "infer --help"}},
		{[]string{"-x"}, []string{"'x'", "infer --help"}},
		{[]string{"-n"}, []string{"-n", "infer --help"}},
		{[]string{"-n", "many"}, []string{"--tokens", "many", "whole number"}},
		{[]string{"-n", "-2"}, []string{"--tokens -2", "-1"}},
		{[]string{"--temp", "warm"}, []string{"--temp", "warm"}},
		{[]string{"--temp", "NaN"}, []string{"temperature", "NaN"}},
		{[]string{"--temp", "-1"}, []string{"temperature", "-1"}},
		{[]string{"--temp", "inf"}, []string{"temperature"}},
		{[]string{"--top-k", "-3"}, []string{"top-k", "-3"}},
		{[]string{"--top-p", "1.5"}, []string{"top-p", "1.5"}},
		{[]string{"--min-p", "NaN"}, []string{"min-p"}},
		{[]string{"--repeat-penalty", "-1"}, []string{"repeat penalty"}},
		{[]string{"--seed", "1.5"}, []string{"--seed", "1.5", "whole number"}},
		{[]string{"--prompt-ids", "1,x"}, []string{"--prompt-ids", `"x"`}},
		{[]string{"--prompt-ids", "1", "-p", "x"}, []string{"--prompt-ids", "-p"}},
		{[]string{"--seed", "-2"}, []string{"--seed -2", "-1"}},
		{[]string{"-t", "-1"}, []string{"--threads -1"}},
		{[]string{"-t", "10000"}, []string{"--threads 10000", "processors"}},
		{[]string{"--ctx", "-1"}, []string{"--ctx -1"}},
		{[]string{"--kv", "f8"}, []string{"--kv", "f16, f32"}},
		{[]string{"--norm", "rms"}, []string{"--norm", "rms-folded"}},
		{[]string{"--norm-layers", "0-99", "--norm", "rms-naive"}, []string{"--norm-layers", "0-3"}},
		{[]string{"-p", "x", "-f", "y"}, []string{"-p and -f"}},
		{[]string{"-i", "-p", "x"}, []string{"--interactive"}},
		{[]string{"inspct", model}, []string{"inspct", "did you mean infer inspect?"}},
		{[]string{"tokenise"}, []string{"did you mean infer tokenize?"}},
		{[]string{model, "Once", "upon"}, []string{"-p", `"Once upon"`}},
		{[]string{"tokenize"}, []string{"needs MODEL", "infer tokenize --help"}},
		{[]string{"help", "nothing"}, []string{"nothing", "infer --help"}},
		{[]string{"completion", "csh"}, []string{"csh", "bash, zsh"}},
		{[]string{"--norm-layers", "0"}, []string{"--norm-layers", "--norm rms-naive"}},
		{[]string{"compare", "--norm", "native,rms-nave"}, []string{"--norm rms-nave", "did you mean rms-naive?"}},
		{[]string{"bench", "--norm", "rms-nave"}, []string{"--norm rms-nave", "did you mean rms-naive?"}},
		{[]string{"bench", "--format", "xml"}, []string{"--format xml", "json"}},
		{[]string{"states", "-o", "-", "--json"}, []string{"--json", "stdout"}},
		{[]string{"inspect", model, model}, []string{"unexpected"}},
		{[]string{"tokenize", model, "two", "words"}, []string{"quotes"}},
		{[]string{"tokenize", model, "x", "--ids", "--json"}, []string{"--ids and --json"}},
		{[]string{"logits", model, "--out", "x"}, []string{"--tokens"}},
		{[]string{"logits", model, "--tokens", "1,b", "--out", "x"}, []string{`"b"`}},
		{[]string{"logits", model, "--tokens", "1,-2", "--out", "x"}, []string{`"-2"`}},
		{[]string{"logits", model, "--tokens", "1"}, []string{"--out"}},
		{[]string{"synth", "-o", "x"}, []string{"--shape", "gpt2-124M"}},
		{[]string{"synth", "--shape", "gpt2-124m", "--type", "Q9", "-o", "x"}, []string{"--type", "Q9", "Q8_0"}},
		{[]string{"synth", "--shape", "gpt2-124m", "--layers", "-1", "-o", "x"}, []string{"--layers -1"}},
		{[]string{"synth", "--shape", "gpt2-125M", "-o", "x"}, []string{"did you mean gpt2-124M?"}},
		{[]string{"synth", "--shape", "gpt2-124M"}, []string{"-o"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) { infer(t, c.args...).fails(t, 2, c.words...) })
	}
}

// damage writes a copy of a model with a NaN at the start of an F32 tensor.
func damage(t *testing.T, whole []byte, to, tensor string) {
	t.Helper()
	b := slices.Clone(whole)
	f, err := gguf.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	x, ok := f.Tensor(tensor)
	if !ok {
		t.Fatalf("no %s", tensor)
	}
	copy(x.Data, "\x00\x00\xc0\x7f")
	if err := os.WriteFile(to, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestHostileMetadata: what a file says of itself stays text: it does not move
// the cursor, leave the folder that is written to, or fill the screen.
func TestHostileMetadata(t *testing.T) {
	f, err := gguf.Parse(testdata.Read(t, sorter))
	if err != nil {
		t.Fatal(err)
	}
	evil := "../../../../tmp/\x1b[2J\x1b]0;title\x07\n| a |" + strings.Repeat("n", 300_000)
	for _, key := range []string{"general.name", "general.basename", "general.size_label", "general.version", "general.license", "evil\x1b[2J\nkey"} {
		if err := f.Meta.Set(key, evil); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	path, folder := filepath.Join(dir, "evil.gguf"), filepath.Join(dir, "folder")
	var b bytes.Buffer
	if err := errors.Join(gguf.Write(&b, f), os.WriteFile(path, b.Bytes(), 0o644), os.Mkdir(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"inspect", path}, {path, "-p", "ABC", "-n", "1", "--temp", "0"}, {"fold", path, "--plan"}, {"fold", path, "-o", folder + string(filepath.Separator)}} {
		r := infer(t, args...)
		if all := r.stdout + r.stderr; r.code != 0 || strings.ContainsAny(all, "\x1b\x07") || len(all) > 20_000 {
			t.Errorf("infer %s: exit %d, %d bytes: %.500q", args[0], r.code, len(all), all)
		}
	}
	written, err := filepath.Glob(filepath.Join(folder, "*.gguf"))
	if err != nil || len(written) != 1 || len(filepath.Base(written[0])) > 255 {
		t.Errorf("%v, %v", written, err)
	}
}
