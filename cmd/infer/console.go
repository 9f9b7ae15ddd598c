package main

import (
	"errors"
	"io"
	"os"
	"sync"
	"unicode/utf8"

	"github.com/normswap/normswap/internal/plain"
	"golang.org/x/term"
)

// A console is stdout or stderr. Whatever is written to one that is a terminal is
// made plain: models, files and their names come from strangers, and a terminal
// obeys what it is sent. What the program itself has to say to a terminal goes to
// the file.
type console struct {
	file     *os.File
	terminal bool

	mu   sync.Mutex
	part []byte // of a character whose other bytes have not come yet
}

var stdout, stderr = newConsole(os.Stdout), newConsole(os.Stderr)

func newConsole(f *os.File) *console { return &console{file: f, terminal: isTerminal(f)} }

// isTerminal does not ask for f.Fd(), which would end the deadlines of a pipe.
func isTerminal(f *os.File) (is bool) {
	conn, err := f.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { is = term.IsTerminal(int(fd)) })
	}
	return is && err == nil
}

func (c *console) Write(p []byte) (int, error) {
	if !c.terminal {
		return c.file.Write(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	text := append(c.part, p...)
	whole := len(text)
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if last := text[len(text)-n:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				whole -= n
			}
			break
		}
	}
	c.part = append([]byte(nil), text[whole:]...)
	if _, err := io.WriteString(c.file, plain.Text(string(text[:whole]))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// usualWidth is the width of a terminal that does not know its own.
const usualWidth = 80

// screenWidth is the number of columns of what w writes to, 0 if that is no
// terminal and lines may be of any length.
func screenWidth(w io.Writer) int {
	c, ok := w.(*console)
	if !ok || !c.terminal {
		return 0
	}
	if width, _, err := term.GetSize(int(c.file.Fd())); err == nil && width > 0 {
		return width
	}
	return usualWidth
}

// errBinary is the answer to binary data for a terminal.
var errBinary = errors.New("these are binary data, which a terminal cannot show; send them to a file or a pipe")
