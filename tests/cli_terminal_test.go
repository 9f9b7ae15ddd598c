//go:build linux

package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
	"golang.org/x/sys/unix"
)

// A terminal is the far end of one that a command runs on.
type terminal struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File

	mu   sync.Mutex
	seen bytes.Buffer
}

// onTerminal starts the command on a terminal of 60 columns.
func onTerminal(t *testing.T, env string, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, master: master, cmd: exec.Command(command(t), args...)}
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = slave, slave, slave
	x.cmd.Env = append(os.Environ(), "TERM=xterm", env)
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if !x.cooked() {
		t.Fatal("the terminal is raw before anything")
	}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	go func() {
		p := make([]byte, 4096)
		for {
			n, err := master.Read(p)
			x.mu.Lock()
			x.seen.Write(p[:n])
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		x.cmd.Process.Kill()
		x.cmd.Wait() // killed, unless it ended before
		master.Close()
	})
	return x
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen.String()
}

// waitFor waits until the words have appeared so many times.
func (x *terminal) waitFor(words string, times int) {
	x.t.Helper()
	x.wait(words, func(text string) bool { return strings.Count(text, words) >= times })
}

// wait waits until the text is as it should be.
func (x *terminal) wait(what string, good func(text string) bool) {
	x.t.Helper()
	for start := time.Now(); !good(x.text()); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > hang {
			x.t.Fatalf("no %s in %q", what, x.text())
		}
	}
}

// prompted waits until the program waits for a line. What is typed before, the
// terminal still edits itself.
func (x *terminal) prompted() {
	x.t.Helper()
	x.wait("prompt", func(text string) bool { return strings.HasSuffix(text, "> ") })
}

func (x *terminal) press(keys string) {
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// ends waits for the end of the command and returns its exit code.
func (x *terminal) ends() int {
	x.t.Helper()
	late := time.AfterFunc(hang, func() { x.cmd.Process.Kill() })
	defer late.Stop()
	x.cmd.Wait() // the exit code says how
	return x.cmd.ProcessState.ExitCode()
}

const (
	ctrlC = "\x03"
	ctrlD = "\x04"
	up    = "\x1b[A"
)

// The loop: a prompt, the one before it again from the history, an answer
// that is stopped, help, the end.
func TestLoop(t *testing.T) {
	x := onTerminal(t, "NO_COLOR=1", testdata.Path(t, stories), "--temp", "0", "-n", "40")
	x.prompted()
	x.press("Once upon a time\r")
	x.waitFor("red ball.", 1)
	x.waitFor("stopped by -n", 1)
	x.prompted()
	x.press(up + "\r")
	x.waitFor("red ball.", 2)
	x.prompted()
	x.press("/nothing\r")
	x.waitFor("there is no command /nothing", 1)
	x.prompted()
	x.press("/help\r")
	x.waitFor("Arrow up", 1)
	x.prompted()
	x.press("/home is not a text" + ctrlC + ctrlC)
	x.waitFor("another Ctrl-C", 1)
	x.prompted()
	x.press(ctrlD)
	if code := x.ends(); code != 0 {
		t.Errorf("exit %d", code)
	}
	text := x.text()
	if !strings.Contains(text, "Once upon a time, there was a little girl named Lily. She\r\nloved to play") {
		t.Errorf("lines are not broken between words: %q", text)
	}
	if strings.Contains(text, "\x1b[2m") {
		t.Errorf("colours in spite of NO_COLOR: %q", text)
	}
}

func TestLoopInterrupt(t *testing.T) {
	x := onTerminal(t, "", testdata.Path(t, stories), "--ctx", "1000000", "-n", "-1", "--temp", "1")
	x.prompted()
	before := len(x.text())
	x.press("Once\r")
	x.wait("an answer", func(text string) bool { return len(text) > before+200 })
	x.press(ctrlC)
	x.waitFor("interrupted", 1)
	x.prompted()
	if !strings.Contains(x.text(), "\x1b[2m") {
		t.Errorf("the timing is not dim: %q", x.text())
	}
	x.press("/quit\r")
	if code := x.ends(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestProgressBar(t *testing.T) {
	prompt := filepath.Join(t.TempDir(), "prompt")
	if err := os.WriteFile(prompt, []byte(strings.Repeat("Once upon a time ", 200_000)), 0o644); err != nil {
		t.Fatal(err)
	}
	x := onTerminal(t, "", testdata.Path(t, stories), "-f", prompt, "--ctx", "1000000", "-n", "1")
	x.waitFor("reading the prompt", 1)
	x.waitFor("tokens/s", 1)
	x.press(ctrlC)
	if code := x.ends(); code != interrupted {
		t.Errorf("exit %d", code)
	}
}

// cooked reports whether the terminal is as it was: it echoes and edits lines.
func (x *terminal) cooked() bool {
	x.t.Helper()
	state, err := unix.IoctlGetTermios(int(x.master.Fd()), unix.TCGETS)
	if err != nil {
		x.t.Fatal(err)
	}
	const all = unix.ECHO | unix.ICANON | unix.ISIG
	return state.Lflag&all == all
}

// Whatever ends the loop, the terminal is as it was before.
func TestTerminalRestored(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(x *terminal)
		code int
	}{
		"Ctrl-D": {func(x *terminal) { x.press(ctrlD) }, 0},
		"Ctrl-C": {func(x *terminal) {
			x.press(ctrlC)
			x.waitFor("another Ctrl-C", 1)
			x.prompted()
			x.press(ctrlC)
		}, 0},
		"quit": {func(x *terminal) { x.press("/quit\r") }, 0},
		"SIGTERM": {func(x *terminal) {
			if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}, interrupted},
		"SIGTERM in an answer": {func(x *terminal) {
			x.press("Once\r")
			x.waitFor("Once", 2)
			if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}, interrupted},
	} {
		x := onTerminal(t, "NO_COLOR=1", testdata.Path(t, stories), "--ctx", "1000000", "-n", "-1")
		x.prompted()
		if x.cooked() {
			t.Errorf("%s: the editor does not have the terminal", name)
		}
		c.end(x)
		if code := x.ends(); code != c.code {
			t.Errorf("%s: exit %d, want %d; %q", name, code, c.code, x.text())
		}
		if !x.cooked() {
			t.Errorf("%s: the terminal is left raw", name)
		}
	}
}
