//go:build unix

package tests

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
)

func TestInterruptPrefill(t *testing.T) {
	prompt := filepath.Join(t.TempDir(), "prompt")
	if err := os.WriteFile(prompt, []byte(strings.Repeat("Once upon a time ", 200_000)), 0o644); err != nil {
		t.Fatal(err)
	}
	r := interrupt(t, os.Interrupt, 500*time.Millisecond, testdata.Path(t, stories), "-f", prompt, "--ctx", "1000000")
	r.fails(t, interrupted, "interrupted")
}

func TestInterruptGeneration(t *testing.T) {
	cmd := exec.Command(command(t), testdata.Path(t, stories), "-p", "Once", "-n", "-1", "--ctx", "1000000")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(hang, func() { cmd.Process.Kill() })
	defer late.Stop()
	text := make([]byte, 20)
	if _, err := io.ReadFull(out, text); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Error(err)
	}
	cmd.Wait() // the exit code is looked at below
	if code := cmd.ProcessState.ExitCode(); code != interrupted || !bytes.HasSuffix(append(text, rest...), []byte("\n")) ||
		!strings.Contains(errs.String(), "decode") || !strings.HasSuffix(errs.String(), "\ninfer: interrupted\n") {
		t.Errorf("exit %d, %.80q..., %q", code, text, errs.String())
	}
}

func TestInterruptStdin(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		interrupt(t, s, 300*time.Millisecond, testdata.Path(t, stories)).fails(t, interrupted, "interrupted")
	}
}

func TestInterruptLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	r := interrupt(t, os.Interrupt, 300*time.Millisecond, "synth", "--shape", "llama-1B", "--type", "F32", "-o", filepath.Join(dir, "model.gguf"))
	r.fails(t, interrupted, "interrupted")
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// Whoever reads the text may stop: there is nothing to say about that.
func TestBrokenPipe(t *testing.T) {
	for _, args := range [][]string{
		{testdata.Path(t, stories), "-p", "Once", "-n", "-1", "--ctx", "1000000"},
		{"inspect", testdata.Path(t, stories), "--json"},
	} {
		cmd := exec.Command(command(t), args...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if args[0] != "inspect" {
			if _, err := io.ReadFull(out, make([]byte, 20)); err != nil {
				t.Error(err)
			}
		}
		out.Close()
		cmd.Wait() // it may die of the signal, or fail
		if errs.Len() > 0 {
			t.Errorf("stderr %q", errs.String())
		}
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full on this system")
	}
	defer full.Close()
	for _, args := range [][]string{
		{testdata.Path(t, stories), "-p", "Once", "-n", "5"},
		{"tokenize", testdata.Path(t, stories), "Once"},
		{"inspect", testdata.Path(t, stories)},
		{"archs"}, {"version"},
	} {
		var errs bytes.Buffer
		cmd := exec.Command(command(t), args...)
		cmd.Stdout, cmd.Stderr = full, &errs
		cmd.Run() // the exit code is looked at below
		ran{"", errs.String(), cmd.ProcessState.ExitCode()}.fails(t, 1, "no space left")
	}
	infer(t, "logits", testdata.Path(t, stories), "--tokens", "1,2,3", "--out", "/dev/full").fails(t, 1, "no space left")
	if info, err := os.Stat("/dev/full"); err != nil || info.Mode().IsRegular() {
		t.Errorf("a device was replaced: %v, %v", info, err)
	}
}

// Without a stdout the number of that is free for the next file. It is not
// written to: the model stays as it is, and the file that is made is whole.
func TestClosedStdout(t *testing.T) {
	dir := t.TempDir()
	model, file := filepath.Join(dir, "model.gguf"), filepath.Join(dir, "folded.gguf")
	if err := os.WriteFile(model, testdata.Read(t, sorter), 0o644); err != nil {
		t.Fatal(err)
	}
	works(t, "fold", model, "-o", file)
	want, source := digest(t, file), digest(t, model)
	for _, args := range [][]string{{model, "-p", "CBA", "-n", "5"}, {"inspect", model}, {"fold", model, "-o", file, "--force"}} {
		shell := append([]string{"-c", `exec "$0" "$@" >&-`, command(t)}, args...)
		out, err := exec.Command("sh", shell...).CombinedOutput()
		if err != nil && !strings.HasPrefix(string(out), "infer: ") || strings.Count(string(out), "\n") > 1 {
			t.Errorf("%v, %q", err, out)
		}
		if digest(t, file) != want || digest(t, model) != source {
			t.Errorf("infer %s wrote into a file", args[0])
		}
	}
}

func TestUnwritableFolder(t *testing.T) {
	infer(t, "synth", "--shape", "gpt2-124M", "-o", "/proc/x").fails(t, 1, "/proc/x")
	infer(t, "synth", "--shape", "gpt2-124M", "-o", t.TempDir()).fails(t, 1, "is a folder")
}

// A file that shrinks under a running program is an error, not a crash.
func TestShrinkingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, testdata.Read(t, stories), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command(t), path, "-p", "Once", "-n", "-1", "--ctx", "1000000")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 20)); err != nil {
		t.Error(err)
	}
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(hang, func() { cmd.Process.Kill() })
	defer late.Stop()
	io.Copy(io.Discard, out) // until it ends
	cmd.Wait()               // the exit code is looked at below
	ran{"", errs.String(), cmd.ProcessState.ExitCode()}.fails(t, 1, path, "changed while it was in use")
}

// The text may hold what would move the cursor; error lines quote it safely.
func TestHostileNames(t *testing.T) {
	r := infer(t, "evil\x1b[31m\nname.gguf", "-p", "x")
	r.fails(t, 1, "no file")
}
