//go:build unix

package tests

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestServe: the command says where it listens, answers, and ends well when it is
// interrupted.
func TestServe(t *testing.T) {
	cmd := exec.Command(command(t), "serve", "--port", "0", "--log", "none")
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(hang, func() { cmd.Process.Kill() }).Stop()
	line, err := bufio.NewReader(errs).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, at, _ := strings.Cut(line, " at ")
	url, _, _ := strings.Cut(at, ",")
	r, err := http.Post(url+"/completions", "application/json", strings.NewReader(`{"prompt": "Once", "max_tokens": 4}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", url, r.Status)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
}

// TestScore: the folded model answers as the native one does.
func TestScore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "questions.jsonl")
	text := `{"context": "Once upon a time there was a king who had three", "choices": ["daughters", "spoons"], "answer": 0}
{"context": "He lived in a", "choices": ["seldom", "castle"], "answer": 1}
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	model := filepath.Join("..", "internal", "tales", "fairy-tales-5.5M-layernorm-Q8_0.gguf")
	out := works(t, "score", model, file, "--against", "rms-folded")
	if words := strings.Join(strings.Fields(out), " "); !strings.Contains(words, "native 2 1.0000 0.0000 1.0000") || !strings.Contains(words, "difference 2 0.0000") {
		t.Errorf("score printed\n%s", out)
	}
	infer(t, "score", model, "none.jsonl").fails(t, 1, "none.jsonl")
}
