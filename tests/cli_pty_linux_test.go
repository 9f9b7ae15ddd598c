package tests

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/internal/testdata"
	"golang.org/x/sys/unix"
)

// hostile is a file name that a terminal obeys: it clears the screen in two ways,
// sets the title, and turns the direction of what follows.
const hostile = "evil\x1b[2J\u009b2J\x1b]0;pwn\a\u202e\u2066name"

// openPTY returns both ends of a pseudo-terminal of a size.
func openPTY(t *testing.T, rows, columns uint16) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err == nil { // the driver does not echo what is typed before the program reads
		var state *unix.Termios
		if state, err = unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
			state.Lflag &^= unix.ECHO
			err = unix.IoctlSetTermios(fd, unix.TCSETS, state)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// onScreen runs the command on a terminal of a size until it ends, with keys
// typed, and returns what the terminal got.
func onScreen(t *testing.T, rows, columns uint16, keys string, args ...string) string {
	t.Helper()
	master, slave := openPTY(t, rows, columns)
	cmd := exec.Command(command(t), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	seen := make(chan string)
	go func() {
		b, _ := io.ReadAll(master) // ends with an error when nobody has the other end
		seen <- string(b)
	}()
	late := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	defer late.Stop()
	if _, err := master.WriteString(keys); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // the exit code is of no interest
	return <-seen
}

// safeScreen checks that a terminal got text and nothing that it obeys; its own
// driver adds carriage returns. Allowed may be sent as well.
func safeScreen(t *testing.T, what, screen, allowed string) {
	t.Helper()
	if !utf8.ValidString(screen) {
		t.Errorf("%s: not UTF-8: %q", what, screen)
	}
	for i, r := range screen {
		if plain.Unsafe(r) && !strings.ContainsRune("\r\n\t"+allowed, r) {
			t.Errorf("%s: %U at %d of %q", what, r, i, screen)
			return
		}
	}
}

// hostileModels are models under names that a terminal obeys: with a vocabulary
// that it obeys as well, and without one.
func hostileModels(t *testing.T) (spoken, silent string) {
	dir := t.TempDir()
	spoken, silent = filepath.Join(dir, hostile+".gguf"), filepath.Join(dir, hostile+"2.gguf")
	for path, name := range map[string]string{spoken: "terminal/esc-tokens.gguf", silent: "archs/gpt2.gguf"} {
		if err := os.WriteFile(path, testdata.Read(t, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return spoken, silent
}

// TestTerminalText: whatever the size of a terminal, no command sends it what it
// would obey, be it made by a model, from a vocabulary, or the name of a file.
func TestTerminalText(t *testing.T) {
	spoken, silent := hostileModels(t)
	text := filepath.Join(filepath.Dir(spoken), hostile+".txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("x\x1b[2J\u009b\u202ey ", 40)), 0o644); err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(filepath.Dir(spoken), hostile+".json")
	if err := os.WriteFile(part, []byte(works(t, "geometry", silent, "--tokens", "64", "--swap-tokens", "0", "--shard", "0/1")), 0o644); err != nil {
		t.Fatal(err)
	}
	commands := [][]string{
		{spoken, "-p", "x", "-n", "40", "--seed", "1"},
		{spoken, "-p", hostile, "-n", "40", "--seed", "1", "--json"},
		{spoken, "-f", text, "-n", "3"},
		{spoken + "x"},
		{spoken, "-p", "x", "--" + hostile},
		{spoken, "-p", "x", "--kv", hostile},
		{hostile},
		{"tokenize", spoken, hostile},
		{"tokenize", spoken, hostile, "--json"},
		{"inspect", spoken},
		{"inspect", spoken, "--json"},
		{"fold", silent, "--plan"},
		{"fold", silent, "-o", filepath.Join(filepath.Dir(silent), "folded"+hostile), "--verify"},
		{"perplexity", silent, "--chunks", "1", "--ctx", "32"},
		{"perplexity", silent, "--chunks", "1", "--ctx", "32", "--json"},
		{"compare", silent, spoken, "--chunks", "1", "--ctx", "32"},
		{"geometry", silent, "--tokens", "64", "--swap-tokens", "0"},
		{"geometry", silent, "--tokens", "64", "--swap-tokens", "0", "--json"},
		{"geometry", spoken, "-f", text, "--swap-tokens", "0"},
		{"merge", part},
		{"merge", part, "--json"},
		{"merge", part + hostile},
		{"states", silent, "--tokens", "32", "--sites", "output_norm", "-o", filepath.Join(filepath.Dir(silent), hostile+".npy"), "--force"},
		{"states", silent, "--sites", hostile, "-o", "x.npy"},
		{"bench", silent, "-p", "8", "-n", "8", "-r", "1"},
		{"rerank", testdata.Path(t, "encoders/bert-rank.gguf"), hostile, hostile, "x"},
		{"rerank", testdata.Path(t, "encoders/bert-rank.gguf"), hostile, hostile, "x", "--json"},
		{"embed", testdata.Path(t, "encoders/bert.gguf"), hostile, "x", "--similarity"},
		{"embed", silent, hostile},
	}
	for _, format := range []string{"csv", "md", "json"} {
		commands = append(commands, []string{"compare", silent, "--chunks", "1", "--ctx", "32", "--format", format})
		commands = append(commands, []string{"bench", silent, "-p", "8", "-n", "0", "-r", "1", "--format", format})
	}
	for _, size := range [][2]uint16{{0, 0}, {24, 80}, {1, 1}} {
		for _, args := range commands {
			name := fmt.Sprintf("%d columns, infer %.30q", size[1], args)
			screen := onScreen(t, size[0], size[1], "", args...)
			if screen == "" {
				t.Errorf("%s: nothing was shown", name)
			}
			safeScreen(t, name, screen, "")
		}
	}
	// Between these sizes the text differs in its lines only, and a terminal that
	// does not know its width has the usual one.
	for _, columns := range []uint16{0, 80} {
		for line := range strings.Lines(onScreen(t, columns/4, columns, "", commands[0]...)) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\r\n")); n > 80 && !strings.HasPrefix(line, "[") {
				t.Errorf("%d columns: a line of %d", columns, n)
			}
		}
	}
}

// TestInspectWidth: what inspect shows keeps to the width of the terminal.
func TestInspectWidth(t *testing.T) {
	screen := onScreen(t, 24, 80, "", "inspect")
	for line := range strings.Lines(screen) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\r\n")); n > 80 {
			t.Errorf("a line of %d: %s", n, line)
		}
	}
	if !strings.Contains(screen, "tokenizer.ggml.merges") || !strings.Contains(screen, "...\r\n") {
		t.Errorf("%s", screen)
	}
}

// TestTerminalTyped: what is pasted into the interactive prompt comes back plain.
// The line editor itself moves the cursor by escape sequences.
func TestTerminalTyped(t *testing.T) {
	model := testdata.Path(t, "terminal/esc-tokens.gguf")
	for _, size := range [][2]uint16{{0, 0}, {24, 80}, {1, 1}} {
		screen := onScreen(t, size[0], size[1], "a\u009b2Jb\u202ec\u2066d\r/x\u202e\r/quit\r", model, "-i", "-n", "20", "--seed", "1")
		safeScreen(t, fmt.Sprint(size), screen, "\x1b\a\x04\x08")
		for _, bad := range []string{"\x1b[2J", "\x1b]"} {
			if strings.Contains(screen, bad) {
				t.Errorf("%v: %q in %q", size, bad, screen)
			}
		}
	}
}

// TestTerminalBinary: a terminal gets no binary data, a pipe does.
func TestTerminalBinary(t *testing.T) {
	model := testdata.Path(t, "archs/gpt2.gguf")
	for _, args := range [][]string{
		{"fold", model, "-o", "-"}, {"fold", model, "-o", "/dev/tty"}, {"logits", model, "--tokens", "1,2", "-o", "-"},
		{"states", model, "--tokens", "32", "--sites", "output_norm", "-o", "/dev/stdout"}, {"synth", "--shape", "gpt2-124M", "-o", "-"},
	} {
		if screen := onScreen(t, 24, 80, "", args...); !strings.Contains(screen, "binary data") {
			t.Errorf("infer %q: %.80q", args, screen)
		}
	}
	if screen := onScreen(t, 24, 80, "", "logits", model, "--tokens", "1,2", "--json"); !strings.HasPrefix(screen, `{"position":0`) {
		t.Errorf("logits as JSON: %.80q", screen)
	}
}

// TestJSONIsPlain: JSON has no such character in a pipe either, and says the same.
func TestJSONIsPlain(t *testing.T) {
	spoken, silent := hostileModels(t)
	for _, args := range [][]string{
		{spoken, "-p", "x" + hostile, "-n", "40", "--seed", "1", "--json"}, {"tokenize", spoken, hostile, "--json"}, {"inspect", spoken, "--json"},
		{"compare", silent, "--chunks", "1", "--ctx", "32", "--json"}, {"geometry", silent, "--tokens", "64", "--swap-tokens", "0", "--json"},
		{"geometry", silent, "--tokens", "64", "--swap-tokens", "0", "--shard", "0/1"}, {"bench", silent, "-p", "8", "-n", "0", "-r", "1", "--json"},
		{"fold", silent, "--plan", "--json"},
	} {
		out := works(t, args...)
		safeScreen(t, fmt.Sprintf("infer %.30q", args), out, "")
		if !json.Valid([]byte(out)) {
			t.Errorf("infer %q: no JSON", args)
		}
	}
	var r struct{ Prompt, Text string }
	if err := json.Unmarshal([]byte(works(t, spoken, "-p", hostile, "-n", "40", "--seed", "1", "--json")), &r); err != nil {
		t.Fatal(err)
	}
	if r.Prompt != hostile || !strings.Contains(r.Text, "\u009b2J") {
		t.Errorf("the JSON says %q, %q", r.Prompt, r.Text)
	}
}
