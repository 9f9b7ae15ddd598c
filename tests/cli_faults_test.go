//go:build unix

package tests

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
)

// soon is how much processor time a command may take after Ctrl-C.
const soon = 4 * time.Second

const (
	interrupted = 130
	unprepared  = -130 // it died of the signal before it had installed its handler
)

// signalled starts the command on a stdin that says nothing, sends it a signal
// after a moment, and returns what it left behind and how much processor time it
// took after that. A busy machine makes no difference to it.
func signalled(t *testing.T, s os.Signal, after time.Duration, args ...string) (r ran, worked time.Duration) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(command(t), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(hang, func() { cmd.Process.Kill() })
	defer late.Stop()
	time.Sleep(after)
	before := processorTime(cmd.Process.Pid)
	if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	cmd.Wait() // the exit code is looked at by the caller
	code := cmd.ProcessState.ExitCode()
	if w, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() && w.Signal() == s {
		code = unprepared
	}
	worked = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() - before
	return ran{out.String(), errs.String(), code}, worked
}

// processorTime returns what a running process has taken so far. Where the
// system has no /proc, that is all it will ever take: nothing is then known of
// how it ends.
func processorTime(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return math.MaxInt64
	}
	// The name of the program, in parentheses, may hold anything. Behind it are
	// the state and, as fields 12 and 13, ticks of the user's and the system's
	// time: of a hundredth of a second on every Linux that Go runs on.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * (time.Second / 100)
}

// interrupt signals the command when it has been at work for a moment: longer
// where the machine takes longer to start it.
func interrupt(t *testing.T, s os.Signal, after time.Duration, args ...string) ran {
	t.Helper()
	for ; after < hang; after *= 2 {
		r, worked := signalled(t, s, after, args...)
		if worked > soon {
			t.Errorf("%v: it worked for %v after the signal", args, worked)
		}
		if r.code != unprepared {
			return r
		}
	}
	t.Fatalf("%v: no handler after %v", args, after)
	return ran{}
}

// TestInterruptAnytime sends Ctrl-C at moments all along: while the program
// starts, loads, folds, reads the prompt and makes text.
func TestInterruptAnytime(t *testing.T) {
	prompt := filepath.Join(t.TempDir(), "prompt")
	if err := os.WriteFile(prompt, []byte(strings.Repeat("Once upon a time ", 2000)), 0o644); err != nil {
		t.Fatal(err)
	}
	longest := time.Duration(0)
	for i := range testdata.Rungs(6, 9) {
		r, worked := signalled(t, os.Interrupt, time.Duration(i*i)*12*time.Millisecond,
			"-f", prompt, "-n", "-1", "--ctx", "1000000", "--norm", "rms-folded")
		longest = max(longest, worked)
		if (r.code != unprepared || r.stderr != "") && (r.code != interrupted || !strings.HasSuffix(r.stderr, "infer: interrupted\n")) {
			t.Errorf("after %d ms: exit %d, %q", i*i*12, r.code, r.stderr)
		}
	}
	if longest > soon {
		t.Errorf("it worked for %v after Ctrl-C", longest)
	}
}

// TestInterruptTokenize: a text of ten megabytes takes its time, Ctrl-C does
// not.
func TestInterruptTokenize(t *testing.T) {
	prompt := filepath.Join(t.TempDir(), "prompt")
	if err := os.WriteFile(prompt, bytes.Repeat([]byte{'a'}, 10<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	model := testdata.Path(t, stories)
	for _, args := range [][]string{{"tokenize", model, "-f", prompt}, {model, "-f", prompt}, {"perplexity", model, "-f", prompt}, {"geometry", model, "-f", prompt}} {
		interrupt(t, os.Interrupt, 300*time.Millisecond, args...).fails(t, interrupted, "interrupted")
	}
}

// TestHugePrompts: ten megabytes of anything are refused for their length, or
// cut into tokens, and not in time that grows with their square.
func TestHugePrompts(t *testing.T) {
	model := testdata.Path(t, stories)
	prompt := filepath.Join(t.TempDir(), "prompt")
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 10<<20)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	texts := []struct {
		text []byte
		says []string
	}{
		{bytes.Repeat([]byte{'a'}, 10<<20), []string{"the prompt has", "--ctx"}},
		{bytes.Repeat([]byte("\u0301"), 5<<20), []string{"the prompt has", "--ctx"}},
		{bytes.Repeat([]byte("\xf0\x9f\x98"), 10<<20/3), []string{"not UTF-8 text"}},
		{noise, []string{"not UTF-8 text"}},
	}
	for _, c := range texts[:testdata.Rungs(2, len(texts))] {
		if err := os.WriteFile(prompt, c.text, 0o644); err != nil {
			t.Fatal(err)
		}
		infer(t, model, "-f", prompt).fails(t, 1, c.says...)
	}
}

// kills is how many times TestKilled kills each command: NORMSWAP_KILLS, if that
// is set.
func kills(t *testing.T) int {
	if s := os.Getenv("NORMSWAP_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return testdata.Rungs(4, 10)
}

// writers are the commands that write a model, without -o and the path. Each
// writes the same bytes every time.
func writers(t *testing.T) map[string][]string {
	return map[string][]string{
		"synth": {"synth", "--shape", "gpt2-124M", "--type", "Q4_0", "--force"},
		"fold":  {"fold", testdata.Path(t, sorter), "--force"},
	}
}

// TestKilled kills the commands that write models at random moments: the file
// is then the old one, or absent if there was none, or whole. The next run
// works.
func TestKilled(t *testing.T) {
	for name, args := range writers(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "model.gguf")
			args := append(args, "-o", path)
			lasts := time.Hour
			for range 3 { // the first one may wait for more than the others
				start := time.Now()
				works(t, args...)
				lasts = min(lasts, time.Since(start))
			}
			whole := digest(t, path)
			rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
			old, absent, done := 0, 0, 0
			for i := range kills(t) {
				if i%2 == 0 {
					os.Remove(path) // if it is there
				} else if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
					t.Fatal(err)
				}
				after := time.Duration(rng.Float64() * float64(lasts))
				signalled(t, os.Kill, after, args...)
				switch b, err := os.ReadFile(path); {
				case i%2 == 0 && errors.Is(err, os.ErrNotExist):
					absent++
				case i%2 == 1 && string(b) == "old":
					old++
				case err == nil && digest(t, path) == whole:
					done++
				default:
					t.Errorf("killed after %v of %v: %d bytes, %v", after, lasts, len(b), err)
				}
				for _, e := range left(t, dir) {
					if e != path {
						if !strings.HasSuffix(e, ".tmp") {
							t.Errorf("%s is left over", e)
						}
						os.Remove(e)
					}
				}
			}
			t.Logf("killed %d times in %v: absent %d, old %d, whole %d", kills(t), lasts.Round(time.Millisecond), absent, old, done)
			works(t, args...)
			if digest(t, path) != whole || len(left(t, dir)) != 1 {
				t.Errorf("the run after the kills leaves %v", left(t, dir))
			}
		})
	}
}

func digest(t *testing.T, path string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

// TestNoRoom: when the disk is full the file that was there stays, and nothing
// else is left. A limit on the size of files stands for the disk.
func TestNoRoom(t *testing.T) {
	for name, args := range writers(t) {
		dir := t.TempDir()
		path := filepath.Join(dir, "model.gguf")
		for _, blocks := range []string{"0", "1", "100", "400"} {
			if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			shell := append([]string{"-c", `ulimit -f ` + blocks + ` && exec "$0" "$@"`, command(t)}, append(args, "-o", path)...)
			var errs bytes.Buffer
			cmd := exec.Command("sh", shell...)
			cmd.Stderr = &errs
			cmd.Run() // the exit code is looked at below
			ran{"", errs.String(), cmd.ProcessState.ExitCode()}.fails(t, 1, path, "file too large")
			if b, err := os.ReadFile(path); err != nil || string(b) != "old" || len(left(t, dir)) != 1 {
				t.Errorf("%s with %s blocks: %.20q, %v, in the folder %v", name, blocks, b, err, left(t, dir))
			}
		}
	}
}

// TestReadOnlyFolder: nothing is written where nothing may be. Root may write
// everywhere, so it lets nobody try.
func TestReadOnlyFolder(t *testing.T) {
	for _, args := range [][]string{{"synth", "--shape", "gpt2-124M"}, {"fold"}} {
		dir := t.TempDir()
		path := filepath.Join(dir, "model.gguf")
		cmd := exec.Command(command(t), append(args, "-o", path)...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if os.Getuid() == 0 {
			const nobody = 65534
			cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			for d := dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
				if err := os.Chmod(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(filepath.Dir(cmd.Path), 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Skipf("as nobody: %v", err)
		}
		cmd.Wait() // the exit code is looked at below
		ran{"", errs.String(), cmd.ProcessState.ExitCode()}.fails(t, 1, dir, "permission denied")
		if n := len(left(t, dir)); n != 0 {
			t.Errorf("%d files", n)
		}
	}
}

// TestCheckFinite: a model with a NaN says where it is, if asked.
func TestCheckFinite(t *testing.T) {
	whole := testdata.Read(t, stories)
	path := filepath.Join(t.TempDir(), "model.gguf")
	damage(t, whole, path, "blk.2.ffn_norm.weight")
	const where = "in the norm blk.2.ffn_norm: tensor blk.2.ffn_norm.weight has NaN at index 0"
	infer(t, path, "-p", "Once", "-n", "5").fails(t, 1, "at position", "NaN", "--check-finite")
	infer(t, path, "-p", "Once", "-n", "5", "--check-finite").fails(t, 1, where)
	infer(t, "logits", path, "--tokens", "1,2", "--out", filepath.Join(t.TempDir(), "x"), "--check-finite").fails(t, 1, where)
	works(t, testdata.Path(t, stories), "-p", "Once", "-n", "5", "--check-finite")
}
