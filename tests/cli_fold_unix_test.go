//go:build unix

package tests

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
)

// TestFoldKilled: killed at any moment, infer fold leaves the whole file or
// none.
func TestFoldKilled(t *testing.T) {
	model, dir := testdata.Path(t, sorter), t.TempDir()
	whole := filepath.Join(dir, "whole.gguf")
	start := time.Now()
	works(t, "fold", model, "-o", whole)
	took := time.Since(start)
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(start.UnixNano()), 1))
	for range 20 {
		out := filepath.Join(dir, "out.gguf")
		cmd := exec.Command(command(t), "fold", model, "-o", out)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rng.Int64N(int64(took))))
		cmd.Process.Kill()
		cmd.Wait() // it was killed, or had ended
		if got, err := os.ReadFile(out); err == nil && !bytes.Equal(got, want) {
			t.Fatalf("a file of %d bytes, the whole one has %d", len(got), len(want))
		}
		os.Remove(out)
	}
}

// TestFoldFullDisk: without room there is an error, and no file.
func TestFoldFullDisk(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.gguf")
	b, err := exec.Command("sh", "-c", `ulimit -f 100; exec "$0" fold "$1" -o "$2"`, command(t), testdata.Path(t, sorter), out).CombinedOutput()
	if err == nil || !bytes.Contains(b, []byte("file too large")) || bytes.Count(b, []byte("\n")) != 1 {
		t.Errorf("%v, %q", err, b)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
