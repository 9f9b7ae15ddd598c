package tests

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/testdata"
)

func save(t *testing.T, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A text is the same from a file, several, compressed ones, a folder and stdin, for
// every command that measures models on texts.
func TestOneTextManyWays(t *testing.T) {
	text := []byte(strings.Repeat("Once upon a time there was a text that many read.\n", 40))
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(at("folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	zstandard, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b := save(t, at("folder/a.txt"), text[:777]), save(t, at("folder/b.gz"), gzipped(t, text[777:]))
	whole := save(t, at("whole.txt"), text)
	packed := save(t, at("whole.zst"), zstandard.EncodeAll(text, nil))
	model := testdata.Path(t, stories)
	for _, command := range [][]string{
		{"geometry", "--swap-tokens", "128"}, {"perplexity"}, {"compare"}, {"dimensions"}, {"sweep", "--sites", "final", "--norm", "fixed"},
	} {
		command = append(command, model, "--ctx", "64", "--json")
		figures := func(extra ...string) map[string]any {
			v := inferJSON[map[string]any](t, append(command, extra...)...)
			delete(v, "text")
			for _, n := range asList(v["norms"]) {
				delete(n.(map[string]any), "tokens_per_second")
			}
			return v
		}
		want := figures("-f", whole)
		for _, way := range [][]string{{"-f", a, "-f", b}, {"-f", at("folder")}, {"-f", at("folder/*")}, {"-f", packed}} {
			compareJSON(t, strings.Join(append(command[:1:1], way...), " "), figures(way...), want)
		}
	}
	list := "1" // BOS
	for _, token := range inferJSON[[]struct{ ID int32 }](t, "tokenize", model, "-f", whole, "--json") {
		list += fmt.Sprintln("", token.ID)
	}
	decimal := save(t, at("ids.txt"), []byte(list))
	want := inferJSON[geometry.Result](t, "geometry", model, "--ctx", "64", "-f", whole, "--json")
	got := inferJSON[geometry.Result](t, "geometry", model, "--ctx", "64", "-f", decimal, "--ids", "decimal", "--json")
	if got.Digest != want.Digest || got.Tokens != want.Tokens || got.Sites[0].Angle != want.Sites[0].Angle {
		t.Errorf("ids: %d tokens, %s; the text: %d, %s", got.Tokens, got.Digest, want.Tokens, want.Digest)
	}
	sum := func(args ...string) (string, float64) {
		r := inferJSON[struct {
			Text        string  `json:"text_sha256"`
			Calibration string  `json:"calibration_text_sha256"`
			Tokens      float64 `json:"calibration_tokens"`
		}](t, append(args, "--ctx", "64")...)
		return r.Text + r.Calibration, r.Tokens
	}
	for _, command := range [][]string{
		{"calibrate", "--norm", "fixed"}, {"dimensions", "--json"}, {"states", "--json", "--force", "-o", at("s.npy")}, {"sweep", "--json", "--sites", "final", "--calibrate", decimal, "--norm", "fixed"},
	} {
		command = append(command, model)
		ids, tokens := sum(append(command, "-f", decimal, "--ids", "decimal")...)
		if command[0] == "sweep" {
			if ids != want.Digest+want.Digest {
				t.Errorf("%s: ids %s, the text %s", command[0], ids, want.Digest)
			}
			continue
		}
		if text, n := sum(append(command, "-f", at("folder"))...); ids != text || tokens != n || ids != want.Digest {
			t.Errorf("%s: ids %s, %v tokens; the text %s, %v; geometry %s", command[0], ids, tokens, text, n, want.Digest)
		}
	}
	if _, n := sum("calibrate", model, "--norm", "fixed", "-f", whole, "--tokens", "200"); n != 192 {
		t.Errorf("of 200 tokens %v are in windows", n)
	}
	many := save(t, at("many"), make([]byte, 2*(16<<20+64)))
	for command, flag := range map[string]string{"calibrate --norm fixed": "--tokens", "dimensions": "--chunks", "sweep": "--chunks", "states -o " + at("many.npy"): "--tokens"} {
		infer(t, append(strings.Fields(command), model, "-f", many, "--ids", "uint16")...).fails(t, 1, "16777216", flag)
	}
	infer(t, "geometry", model, "-f", decimal, "--ids", "int32").fails(t, 1, "token id")
	infer(t, "geometry", model, "--ids", "int32").fails(t, 2, "--ids", "-f")
	infer(t, "geometry", model, "-f", at("none*")).fails(t, 1, "none*")
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

// A run that is killed goes on from its part, and comes to what one run does.
func TestKilledPart(t *testing.T) {
	model, dir := testdata.Path(t, stories), t.TempDir()
	tale := strings.Repeat("A long tale, told slowly, of a king and his three sons.\n", 400)
	text := save(t, filepath.Join(dir, "t.txt"), []byte(tale))
	for _, name := range []string{"geometry", "compare"} {
		part := filepath.Join(dir, name+".json")
		args := []string{name, model, "-f", text, "--ctx", "64", "--part", part, "--flush", "1ms"}
		if name == "geometry" {
			args = append(args, "--swap-tokens", "4000")
		} else {
			args = append(args, "--chunks", "60")
		}
		kills := 0
		for ; kills < 3; kills++ {
			was, _ := os.ReadFile(part)
			cmd := exec.Command(command(t), args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				if now, err := os.ReadFile(part); err == nil && !bytes.Equal(now, was) {
					break
				}
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
		}
		if b, err := os.ReadFile(part); err != nil || !bytes.Contains(b, []byte(`"progress"`)) {
			t.Fatalf("%s: the part of the killed run: %v", name, err)
		}
		infer(t, "merge", part).fails(t, 1, "missing", "not at its end")
		infer(t, append(args, "--kv", "f16")...).fails(t, 1, part, "type of the cache differs")
		save(t, text, []byte("!"+tale))
		infer(t, args...).fails(t, 1, part, "another")
		save(t, text, []byte(tale))

		works(t, args...)
		single := append([]string{name, model, "-f", text, "--ctx", "64", "--json"}, args[len(args)-2:]...)
		got, want := inferJSON[map[string]any](t, "merge", "--json", part), inferJSON[map[string]any](t, single...)
		for _, v := range []map[string]any{got, want} {
			for _, n := range asList(v["norms"]) {
				delete(n.(map[string]any), "tokens_per_second")
			}
			delete(v, "verdict")
		}
		compareJSON(t, name, got, want)
		r := infer(t, args...)
		if r.code != 0 || !strings.Contains(r.stderr, "nothing is left to do") {
			t.Errorf("%s, again: %s", name, r.stderr)
		}
	}
}

// A text of more than 64 MiB is read in blocks, of which a share gets its own.
func TestLongText(t *testing.T) {
	const line = "Sixty-four bytes of a long text, and after them the line ends.\n\n"
	tail := strings.Repeat(line, 20)
	text := append(bytes.Repeat([]byte(line), 64<<20/len(line)), tail...)
	if len(line) != 64 {
		t.Fatal(len(line))
	}
	model, dir := testdata.Path(t, stories), t.TempDir()
	path := save(t, filepath.Join(dir, "long.gz"), gzipped(t, text))
	var last geometry.Result
	args := []string{"geometry", model, "--ctx", "64", "--swap-tokens", "64"}
	part := []byte(works(t, append(args, "-f", path, "--shard", "64/65")...))
	state, err := geometry.ReadState(part)
	if err != nil {
		t.Fatal(err)
	}
	want := inferJSON[geometry.Result](t, append(args, "-f", save(t, filepath.Join(dir, "tail"), []byte(tail)), "--json")...)
	if last.Tokens = state.Tokens(); last.Tokens != want.Tokens || state.Blocks != 65 {
		t.Errorf("the last block of %d has %d tokens, alone %d", state.Blocks, last.Tokens, want.Tokens)
	}
	again, err := exec.Command("sh", "-c", `gzip -dc "$1" | "$2" geometry "$3" --ctx 64 --swap-tokens 64 -f - --shard 64/65`, "sh", path, command(t), model).Output()
	if err == nil {
		piped, err := geometry.ReadState(again)
		if err != nil || piped.Digest != state.Digest || piped.Tokens() != state.Tokens() {
			t.Errorf("by a pipe: %v, %+v", err, piped)
		}
	}
	var report eval.Report
	if err := json.Unmarshal([]byte(works(t, "perplexity", model, "-f", path, "--ctx", "64", "--shard", "64/65")), &report); err != nil {
		t.Fatal(err)
	}
	if report.Blocks != 65 || report.IDs != state.Digest || report.Chunks != int(want.Tokens)/64 {
		t.Errorf("perplexity: %d chunks, %d blocks, %s", report.Chunks, report.Blocks, report.IDs)
	}
	infer(t, "geometry", model, model, "-f", "/dev/zero").fails(t, 1, "/dev/zero")
}

// merge refuses what is not of one run, and pools texts and sets models side by side
// when it is asked to.
func TestPool(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	one := strings.Repeat("The first text tells of the sea. ", 40)
	two := strings.Repeat("Another one tells of the hills. ", 40)
	a, b := save(t, at("a"), []byte(one)), save(t, at("b"), []byte(two))
	model, other := testdata.Path(t, stories), testdata.Path(t, "archs/gpt2.gguf")
	for _, command := range []string{"geometry", "perplexity"} {
		part := func(name string, args ...string) string {
			return save(t, at(name), []byte(works(t, append([]string{command, "--ctx", "32"}, args...)...)))
		}
		a0, a1 := part("a0", model, "-f", a, "--shard", "0/2"), part("a1", model, "-f", a, "--shard", "1/2")
		b0 := part("b0", model, "-f", b, "--shard", "0/1")
		infer(t, "merge", a0, a1, b0).fails(t, 1, b0, "text")
		infer(t, "merge", a0, b0, "--pool").fails(t, 1, "missing", "1/2 of a")
		pooled := inferJSON[struct {
			Tokens uint64
			Texts  []struct{ Name string }
			Norms  []eval.Figures
			Chunks int
		}](t, "merge", a0, b0, a1, "--pool", "--json")
		if len(pooled.Texts) != 2 || pooled.Texts[0].Name != "a" {
			t.Errorf("%s: texts %+v", command, pooled.Texts)
		}
		quantized := part("q", model, "-f", b, "--shard", "0/1", "--kv", "f16")
		infer(t, "merge", a0, a1, quantized, "--pool").fails(t, 1, "type of the cache differs")
		silent := []string{command, testdata.Path(t, "archs/gpt2.gguf"), "--ctx", "16", "--part", at(command + "-silent")}
		for range 2 { // a model without a vocabulary has a text of its own, again
			if r := infer(t, silent...); r.code != 0 {
				t.Errorf("%q: %s", silent, r.stderr)
			}
		}
		if command == "perplexity" {
			x, y := inferJSON[eval.Report](t, "merge", a0, a1, "--json"), inferJSON[eval.Report](t, "merge", b0, "--json")
			if pooled.Chunks != x.Chunks+y.Chunks || pooled.Norms[0].Tokens != x.Norms[0].Tokens+y.Norms[0].Tokens {
				t.Errorf("%d chunks of %d and %d", pooled.Chunks, x.Chunks, y.Chunks)
			}
			figures := save(t, at("figures"), []byte(works(t, "perplexity", model, "-f", b, "--ctx", "32", "--json")))
			infer(t, "merge", figures).fails(t, 1, figures, "no part of a run")
			continue
		}
		x, y := inferJSON[geometry.Result](t, "merge", a0, a1, "--json"), inferJSON[geometry.Result](t, "merge", b0, "--json")
		if pooled.Tokens != x.Tokens+y.Tokens {
			t.Errorf("%d tokens of %d and %d", pooled.Tokens, x.Tokens, y.Tokens)
		}
		// The models are the outer index of a sweep.
		var parts []string
		for i := range 4 {
			name := fmt.Sprintf("m%d", i)
			parts = append(parts, at(name))
			works(t, "geometry", model, other, "--ids", "decimal", "-f", save(t, at("ids"), []byte(strings.Repeat("3 8 13 18 ", 64))), "--ctx", "32", "--shard", fmt.Sprintf("%d/4", i), "--part", at(name))
		}
		infer(t, append([]string{"merge"}, parts...)...).fails(t, 1, "model differs")
		all := inferJSON[struct{ Models []geometry.Result }](t, append([]string{"merge", "--models", "--json"}, parts...)...)
		if len(all.Models) != 2 || all.Models[0].Model.Name != "stories260K-F32" || all.Models[1].Tokens != 256 {
			t.Errorf("%d models, %+v", len(all.Models), all.Models)
		}
		infer(t, "geometry", model, other, "--shard", "0/3").fails(t, 2, "3 shares", "2 models")
		infer(t, append([]string{"merge", "--models"}, parts[:3]...)...).fails(t, 1, "missing", "1/2 of gpt2")
	}
}
