package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"unicode/utf8"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/internal/lineedit"
	"github.com/normswap/normswap/internal/plain"
	"golang.org/x/term"
)

// A dialog answers one prompt after the other: texts to continue, each on its own,
// or the turns of a conversation.
type dialog struct {
	*generator
	in      *lines
	running *atomic.Pointer[context.CancelFunc] // what Ctrl-C cancels
	turns   []chat.Message
	seen    []int32 // the beginning of the last text, when norms were swapped
}

// loop is the dialog with whoever is at stdin.
func (g *generator) loop(ctx context.Context) error {
	d := &dialog{generator: g, in: newLines(), turns: g.opening()}
	d.running = d.in.catchSignals()
	g.echo = !g.chat
	if g.about != "" {
		note("%s", g.about)
		g.about = ""
	}
	what := "a text to continue"
	if g.chat {
		what = "a message"
	}
	note("Type %s; /help tells more, Ctrl-D ends.", what)
	leaving := false // at the next Ctrl-C
	for {
		text, err := d.in.read()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, lineedit.ErrInterrupted) && leaving:
			return nil
		case errors.Is(err, lineedit.ErrInterrupted):
			note("Ctrl-D ends, and so does another Ctrl-C")
			leaving = true
			continue
		case err != nil:
			return err
		}
		leaving = false
		if name, argument, ok := commandOf(text); ok {
			var end bool
			end, err = d.obey(ctx, name, argument)
			if end {
				return nil
			}
		} else if strings.TrimSpace(text) != "" {
			err = d.answer(ctx, unquoted(text))
		}
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
			return err
		}
		exit(stderr, err)
	}
}

// answer answers a text. What failed is no turn of the conversation.
func (d *dialog) answer(ctx context.Context, text string) error {
	turns := append(slices.Clip(d.turns), chat.Message{Role: "user", Content: text})
	var r *result
	err := d.cancellable(ctx, func(ctx context.Context) (err error) {
		r, err = d.generator.answer(ctx, text, turns)
		return err
	})
	if err != nil {
		return err
	}
	note("%s", r)
	d.loadTime = 0
	d.sample.Seed++
	if d.chat {
		d.turns = append(turns, chat.Message{Role: "assistant", Content: r.Text})
	}
	return nil
}

// cancellable calls f with a context that Ctrl-C cancels.
func (d *dialog) cancellable(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.running.Store(&cancel)
	defer d.running.Store(nil)
	return f(ctx)
}

// quotes begin and end a text of several lines, as in Ollama.
const quotes = `"""`

// unfinished reports whether a text has begun with quotes and not ended with them.
func unfinished(text string) bool {
	rest, begun := strings.CutPrefix(strings.TrimSpace(text), quotes)
	return begun && !strings.HasSuffix(rest, quotes)
}

// unquoted is a text without quotes around it.
func unquoted(text string) string {
	rest, begun := strings.CutPrefix(strings.TrimSpace(text), quotes)
	if !begun {
		return text
	}
	return strings.Trim(strings.TrimSuffix(rest, quotes), "\n")
}

// lines reads what the user types, with a line editor and a history on a
// terminal.
type lines struct {
	editor  *lineedit.Editor // nil: stdin is no terminal
	scanner *bufio.Reader
	cooked  atomic.Pointer[term.State] // of the terminal, while the editor has it
}

func newLines() *lines {
	if !isTerminal(os.Stdin) {
		return &lines{scanner: bufio.NewReader(os.Stdin)}
	}
	e := lineedit.New(os.Stdin, editorOutput{})
	e.More, e.MaxText = unfinished, maxText
	e.Size = func() (int, int) {
		if w, h, err := term.GetSize(int(stderr.file.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
		return usualWidth, 0
	}
	if path := historyPath(); path != "" {
		h, err := lineedit.OpenHistory(path)
		if err != nil {
			note("warning: the history is not kept: %v", err)
		} else {
			e.History = h
		}
	}
	return &lines{editor: e}
}

// historyEnv names the file of the history; set and empty: there is none.
const historyEnv = "INFER_HISTORY"

// historyPath is the file of the history, "" if there is none.
func historyPath() string {
	if path, set := os.LookupEnv(historyEnv); set {
		return path
	}
	// The state of programs, by the XDG Base Directory Specification.
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "normswap", "history")
	}
	dir, err := os.UserConfigDir()
	if runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		dir, err = os.UserHomeDir()
		dir = filepath.Join(dir, ".local", "state")
	}
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "normswap", "history")
}

// editorOutput is what the line editor writes to. It moves the cursor by C0
// controls, and shows what was typed or pasted: there nothing else may do so.
type editorOutput struct{}

func (editorOutput) Write(p []byte) (int, error) {
	_, err := io.WriteString(stderr.file, strings.Map(func(r rune) rune {
		if r >= 0x7f && plain.Unsafe(r) {
			return utf8.RuneError
		}
		return r
	}, string(p)))
	return len(p), err
}

// read returns the next text.
func (l *lines) read() (string, error) {
	if l.editor == nil {
		return l.scan()
	}
	state, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return "", err
	}
	l.cooked.Store(state)
	text, err := l.editor.Read()
	l.restore()
	if err := l.editor.History.Err(); err != nil {
		note("warning: the history is not kept: %v", err)
		l.editor.History.Forget()
	}
	if errors.Is(err, lineedit.ErrTooLong) {
		return "", fmt.Errorf("the pasted text is longer than %s, too much for one prompt", bytesText(maxText))
	}
	return text, err
}

// scan returns the next text of a stdin that is no terminal.
func (l *lines) scan() (string, error) {
	text, err := l.scanLine()
	for err == nil && unfinished(text) {
		var more string
		more, err = l.scanLine()
		text += "\n" + more
		if len(text) > maxText {
			err = errLongLine
		}
	}
	if errors.Is(err, io.EOF) && text != "" {
		err = nil
	}
	return text, err
}

var errLongLine = fmt.Errorf("a line on stdin is longer than %s, too much for one prompt", bytesText(maxText))

func (l *lines) scanLine() (string, error) {
	var line []byte
	for {
		part, err := l.scanner.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxText:
			return "", errLongLine
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil && len(line) == 0:
			return "", err
		default:
			return strings.TrimRight(string(line), "\r\n"), nil
		}
	}
}

// restore gives the terminal back.
func (l *lines) restore() {
	if state := l.cooked.Swap(nil); state != nil {
		_ = term.Restore(int(os.Stdin.Fd()), state)
	}
}

// catchSignals makes Ctrl-C cancel what the pointer it returns holds. Without
// that, if it does not end, and at any other signal, the program ends, and leaves
// the terminal as it was.
func (l *lines) catchSignals() *atomic.Pointer[context.CancelFunc] {
	var running atomic.Pointer[context.CancelFunc]
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		var last *context.CancelFunc
		for s := range signals {
			if cancel := running.Load(); cancel != nil && cancel != last && s == os.Interrupt {
				last = cancel
				(*cancel)()
				continue
			}
			l.restore()
			os.Exit(exitInterrupted)
		}
	}()
	return &running
}
