package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"unicode/utf8"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/internal/plain"
	"golang.org/x/term"
)

const loopHelp = `Type a text and press Enter. Arrow up brings back earlier ones. Ctrl-C stops an answer, Ctrl-D ends.
  /help   this
  /clear  forget the conversation (of a chat)
  /quit   end`

// loop answers one prompt after the other: texts to continue, each on its
// own, or the turns of a conversation.
func (g *generator) loop(ctx context.Context) error {
	in := newLines()
	answering := in.catchSignals()
	g.echo = !g.chat
	turns := g.opening()
	if g.about != "" {
		note("%s", g.about)
		g.about = ""
	}
	what := "a text to continue"
	if g.chat {
		what = "a message"
	}
	note("Type %s; /help tells more, Ctrl-D ends.", what)
	for {
		line, err := in.read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch word := strings.TrimSpace(line); {
		case word == "":
			continue
		case word == "/quit" || word == "/exit" || word == "/bye":
			return nil
		case word == "/help":
			noteText(loopHelp)
			continue
		case word == "/clear":
			turns = g.opening()
			continue
		case strings.HasPrefix(word, "/") && !strings.ContainsAny(word[1:], "/ "):
			note("there is no command %s; /help lists them", word)
			continue
		}
		if g.chat {
			turns = append(turns, chat.Message{Role: "user", Content: line})
		}
		answer, cancel := context.WithCancel(ctx)
		answering.Store(&cancel)
		r, err := g.answer(answer, line, turns)
		answering.Store(nil)
		cancel()
		switch {
		case err == nil:
			note("%s", r)
			g.loadTime = 0
			if g.chat {
				turns = append(turns, chat.Message{Role: "assistant", Content: r.Text})
			}
			g.sample.Seed++
			continue
		case g.chat:
			turns = turns[:len(turns)-1]
		}
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
			return err
		}
		exit(stderr, err)
	}
}

// lines reads what the user types, with a line editor and a history on a
// terminal.
type lines struct {
	editor  *term.Terminal // nil: stdin is no terminal
	scanner *bufio.Reader
	cooked  atomic.Pointer[term.State] // of the terminal, while the editor has it
}

func newLines() *lines {
	if !isTerminal(os.Stdin) {
		return &lines{scanner: bufio.NewReader(os.Stdin)}
	}
	screen := struct {
		io.Reader
		io.Writer
	}{os.Stdin, editorOutput{}}
	return &lines{editor: term.NewTerminal(screen, "> ")}
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

// read returns the next line, or the lines that were pasted at once.
func (l *lines) read() (string, error) {
	if l.editor == nil {
		return l.scan()
	}
	state, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return "", err
	}
	l.cooked.Store(state)
	defer l.restore()
	if w, h, err := term.GetSize(int(stderr.file.Fd())); err == nil && w > 0 && h > 0 {
		_ = l.editor.SetSize(w, h) // a wrong size only looks bad
	}
	l.editor.SetBracketedPasteMode(true)
	defer l.editor.SetBracketedPasteMode(false)
	var text strings.Builder
	for {
		line, err := l.editor.ReadLine()
		text.WriteString(line)
		if err != term.ErrPasteIndicator {
			if err == io.EOF {
				fmt.Fprint(stderr.file, "\r\n") // the terminal is raw
			}
			return text.String(), err
		}
		text.WriteByte('\n')
	}
}

// scan returns the next line of a stdin that is no terminal.
func (l *lines) scan() (string, error) {
	var line []byte
	for {
		part, err := l.scanner.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxText:
			return "", fmt.Errorf("a line on stdin is longer than %s, too much for one prompt", bytesText(maxText))
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

// catchSignals makes Ctrl-C cancel the answer that the pointer it returns
// holds. Without one, if that answer does not end, and at any other signal, the
// program ends, and leaves the terminal as it was.
func (l *lines) catchSignals() *atomic.Pointer[context.CancelFunc] {
	var answering atomic.Pointer[context.CancelFunc]
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		var last *context.CancelFunc
		for s := range signals {
			if cancel := answering.Load(); cancel != nil && cancel != last && s == os.Interrupt {
				last = cancel
				(*cancel)()
				continue
			}
			l.restore()
			os.Exit(exitInterrupted)
		}
	}()
	return &answering
}
