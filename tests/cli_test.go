// Package tests holds black-box tests across packages.
package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/ops"
)

// command builds the command once and returns its path.
func command(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "infer")
	if err != nil {
		return "", err
	}
	tempDir = dir
	path := filepath.Join(dir, "infer")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	// Git does not tell of a clone that belongs to another user.
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./cmd/infer")
	cmd.Dir = testdata.Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

var tempDir string

func TestMain(m *testing.M) {
	// A shell starts what it runs in the background with Ctrl-C ignored. Whoever
	// listens to it passes on to the commands that it is not.
	if signal.Ignored(os.Interrupt) {
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	os.Setenv("INFER_HISTORY", "") // what tests type is nobody's history
	code := m.Run()
	if tempDir != "" {
		os.RemoveAll(tempDir)
	}
	os.Exit(code)
}

// ran is what a run of the command left behind.
type ran struct {
	stdout, stderr string
	code           int
}

// hang is when a command, or what a test waits for, is given up: far beyond
// what either takes on the slowest and busiest machine.
const hang = 5 * time.Minute

// infer runs the command with nothing on stdin.
func infer(t testing.TB, args ...string) ran {
	t.Helper()
	return inferWith(t, "", args...)
}

// inferWith runs the command with a text on stdin.
func inferWith(t testing.TB, stdin string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, command(t), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := ran{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
	if strings.Contains(r.stderr, "\x1b") {
		t.Errorf("infer %q: escape sequences without a terminal", args)
	}
	return r
}

// works runs the command, which must succeed, and returns its stdout.
func works(t testing.TB, args ...string) string {
	t.Helper()
	r := infer(t, args...)
	if r.code != 0 {
		t.Fatalf("infer %q: exit %d, %s", args, r.code, r.stderr)
	}
	return r.stdout
}

// fails checks that a run ended with a code and exactly one line on stderr
// that contains the words.
func (r ran) fails(t testing.TB, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit %d, want %d; stderr %q", r.code, code, r.stderr)
	}
	if strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "infer: ") || !strings.HasSuffix(r.stderr, "\n") {
		t.Errorf("stderr %q, want one line that begins with infer:", r.stderr)
	}
	for _, w := range words {
		if !strings.Contains(r.stderr, w) {
			t.Errorf("stderr %q does not say %q", r.stderr, w)
		}
	}
	if r.stdout != "" {
		t.Errorf("stdout %q beside an error", r.stdout)
	}
}

// left lists the files in a folder.
func left(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const (
	stories = "trained/stories260K-F32.gguf"
	sorter  = "trained/nano-sort-85k-F32.gguf"
)

func TestStory(t *testing.T) {
	const want = ", there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball.\n"
	for _, threads := range []string{"1", "2", "3"} {
		got := works(t, testdata.Path(t, stories), "-p", "Once upon a time", "-n", "40", "--temp", "0", "-t", threads)
		if got != want {
			t.Errorf("-t %s: %q, want %q", threads, got, want)
		}
	}
}

func TestSort(t *testing.T) {
	model := testdata.Path(t, sorter)
	if got := works(t, model, "-p", "CBABCA", "-n", "5", "--temp", "0"); got != "AABBC\n" {
		t.Errorf("%q", got)
	}
	r := infer(t, model, "-p", "CBABCA", "-n", "-1", "--temp", "0")
	if r.stdout != "AABBCC\n" || !strings.Contains(r.stderr, "the context is full") {
		t.Errorf("until the context is full: %q, %q", r.stdout, r.stderr)
	}
}

func TestPromptSources(t *testing.T) {
	model := testdata.Path(t, stories)
	greedy := []string{model, "-n", "20", "--temp", "0"}
	want := works(t, append(greedy, "-p", "Once upon a time")...)
	file := filepath.Join(t.TempDir(), "prompt.txt")
	if err := os.WriteFile(file, []byte("Once upon a time\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := works(t, append(greedy, "-f", file)...); got != want {
		t.Errorf("-f: %q, want %q", got, want)
	}
	for _, args := range [][]string{greedy, append(greedy, "-f", "-")} {
		if r := inferWith(t, "Once upon a time\n", args...); r.stdout != want || r.code != 0 {
			t.Errorf("%q with stdin: %q, want %q; %s", args, r.stdout, want, r.stderr)
		}
	}
	r := inferWith(t, "Once upon a time\nOnce upon a time\n", append(greedy, "-i")...)
	if got := strings.Repeat("Once upon a time"+want, 2); r.stdout != got || r.code != 0 {
		t.Errorf("-i: %q, want %q; %s", r.stdout, got, r.stderr)
	}
}

func TestTale(t *testing.T) {
	first := infer(t)
	if !strings.HasPrefix(first.stdout, "Once upon a time") || !strings.HasSuffix(first.stdout, "\n") || first.code != 0 {
		t.Fatalf("%+v", first)
	}
	lines := strings.Split(first.stderr, "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "Built-in model") || !strings.Contains(lines[1], "--seed ") {
		t.Errorf("stderr %q, want what the model is, and the timing", first.stderr)
	}
	for _, isa := range ops.ISAs() {
		t.Setenv(ops.EnvISA, isa)
		if got := works(t, "-n", "60"); !strings.HasPrefix(first.stdout, strings.TrimSuffix(got, "\n")) {
			t.Errorf("with the kernels for %s another tale: %q", isa, got)
		}
	}
	a, b := works(t, "--seed", "7", "-n", "12"), works(t, "--seed", "8", "-n", "12")
	if a == b {
		t.Errorf("two seeds, one tale: %q", a)
	}
	if c := works(t, "--seed", "7", "-n", "12", "-t", "3"); c != a {
		t.Errorf("with three threads %q, want %q", c, a)
	}
}

// A program that starts infer with a pipe to which it never writes gets its
// tale all the same.
func TestTaleWithOpenStdin(t *testing.T) {
	cmd := exec.Command(command(t), "-n", "3")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), "Once upon a time") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestSeed(t *testing.T) {
	var runs []generated
	model := testdata.Path(t, stories)
	for range 2 {
		runs = append(runs, inferJSON[generated](t, model, "-p", "Once", "-n", "30", "--json"))
	}
	if *runs[0].Seed == *runs[1].Seed { // two seeds may well give one text
		t.Errorf("two runs without a seed have the same: %d", *runs[0].Seed)
	}
	text, _ := json.Marshal(*runs[0].Seed)
	if got := works(t, model, "-p", "Once", "-n", "30", "--seed", string(text)); strings.TrimSuffix(got, "\n") != strings.TrimSuffix(runs[0].Text, "\n") {
		t.Errorf("seed %s again: %q, want %q", text, got, runs[0].Text)
	}
}

// generated is what infer --json prints.
type generated struct {
	Prompt          string  `json:"prompt"`
	Text            string  `json:"text"`
	Tokens          []int32 `json:"tokens"`
	PromptTokens    int     `json:"prompt_tokens"`
	GeneratedTokens int     `json:"generated_tokens"`
	Stop            string  `json:"stop"`
	Seed            *uint64 `json:"seed"`
	LoadSeconds     float64 `json:"load_seconds"`
	PrefillRate     float64 `json:"prefill_tokens_per_second"`
	DecodeRate      float64 `json:"decode_tokens_per_second"`
}

func inferJSON[T any](t testing.TB, args ...string) (v T) {
	t.Helper()
	r := infer(t, args...)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("infer %q: exit %d, %q", args, r.code, r.stderr)
	}
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil {
		t.Fatalf("infer %q: %v in %.200q", args, err, r.stdout)
	}
	return v
}

func TestJSON(t *testing.T) {
	g := inferJSON[generated](t, testdata.Path(t, sorter), "-p", "CBABCA", "-n", "5", "--temp", "0", "--json")
	if g.Text != "AABBC" || g.PromptTokens != 6 || g.GeneratedTokens != 5 || len(g.Tokens) != 5 || g.Stop != "limit" || g.Seed != nil {
		t.Errorf("%+v", g)
	}
	ids := works(t, "tokenize", testdata.Path(t, sorter), "CBABCA", "--ids")
	if same := inferJSON[generated](t, testdata.Path(t, sorter), "--prompt-ids", ids, "-n", "5", "--temp", "0", "--json"); same.Text != g.Text || same.PromptTokens != 6 {
		t.Errorf("of ids: %+v", same)
	}
	if !(g.LoadSeconds > 0 && g.PrefillRate > 0 && g.DecodeRate > 0) {
		t.Errorf("times are missing: %+v", g)
	}
}

func TestChat(t *testing.T) {
	g := inferJSON[generated](t, testdata.Path(t, stories), "-p", "Hello", "--chat-template", "chatml", "--system", "Be kind.", "-n", "5", "--json")
	const want = "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
	if g.Prompt != want || strings.HasPrefix(g.Text, " ") {
		t.Errorf("prompt %q, want %q; text %q", g.Prompt, want, g.Text)
	}
	// In a conversation the turns before are part of the prompt.
	r := inferWith(t, "Hello\nAgain\n", testdata.Path(t, stories), "-i", "--chat-template", "chatml", "-n", "5", "--temp", "0")
	var prefills []string
	for line := range strings.Lines(r.stderr) {
		if _, rest, ok := strings.Cut(line, "prefill "); ok {
			prefills = append(prefills, strings.Fields(rest)[0])
		}
	}
	if r.code != 0 || len(prefills) != 2 || strings.Count(r.stdout, "\n") < 2 {
		t.Fatalf("%+v", r)
	}
	if r := inferWith(t, "Again\n", testdata.Path(t, stories), "-i", "--chat-template", "chatml", "-n", "5", "--temp", "0"); strings.Contains(r.stderr, "prefill "+prefills[1]+" ") {
		t.Errorf("the second turn reads %s tokens, like a first one", prefills[1])
	}
}

func TestLimits(t *testing.T) {
	model := testdata.Path(t, stories)
	if got := works(t, model, "-p", "Once", "-n", "0"); got != "" {
		t.Errorf("-n 0 wrote %q", got)
	}
	if g := inferJSON[generated](t, model, "-p", "Once", "-n", "-1", "--ctx", "20", "--json"); g.Stop != "context" && g.Stop != "end" || g.PromptTokens+g.GeneratedTokens > 21 {
		t.Errorf("-n -1 in a context of 20: %+v", g)
	}
	if got := works(t, model, "-p", "", "-n", "3", "--temp", "0"); !strings.HasPrefix(got, "Once") {
		t.Errorf("an empty prompt is continued with %q", got)
	}
	for _, args := range [][]string{{"--top-k", "100000"}, {"--temp", "1e9"}, {"--top-p", "0"}, {"--min-p", "1"}, {"-t", "0"}, {"-t", "64"}} {
		if g := inferJSON[generated](t, append([]string{model, "-p", "x\xff\xfey", "-n", "5", "--json"}, args...)...); g.GeneratedTokens == 0 && g.Stop != "end" {
			t.Errorf("%v: %+v", args, g)
		}
	}
}

func TestHugePrompt(t *testing.T) {
	r := inferWith(t, strings.Repeat("Once upon a time ", 10<<20/17), testdata.Path(t, stories))
	r.fails(t, 1, "the prompt has", "--ctx")
}
