// Package lineedit is a line editor for terminals in raw mode: characters of any
// width, texts of several lines, pasted blocks, and a history of whole texts. All
// that it shows passes through one writer, and no character of the text moves the
// cursor.
package lineedit

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// ErrInterrupted is the error of Ctrl-C on an empty line. On another line it clears
// the line.
var ErrInterrupted = errors.New("lineedit: interrupted")

// ErrTooLong is the error of a pasted block of more than MaxText bytes.
var ErrTooLong = errors.New("lineedit: the pasted block is too long")

// An Editor reads texts from a terminal. Its fields may change between two calls.
type Editor struct {
	Prompt  string
	Size    func() (columns, rows int) // of the terminal
	More    func(text string) bool     // reports whether Enter begins another line; nil: never
	History *History
	MaxText int // bytes of a pasted block; 0: without bound

	in  *bufio.Reader
	out io.Writer

	text   []string // grapheme clusters
	at     int      // the cursor stands before text[at]
	killed []string // what Ctrl-Y brings back
	recall int      // the entry of the history that is shown
	own    string   // the text that is no entry yet
	row    int      // of the cursor on the screen, from the first row of the text
}

// New makes an editor of a terminal, which must be in raw mode during Read.
func New(in io.Reader, out io.Writer) *Editor {
	return &Editor{
		Prompt: "> ", Size: func() (int, int) { return 80, 24 }, History: &History{},
		in: bufio.NewReader(in), out: out,
	}
}

const (
	pasteOn  = "\x1b[?2004h" // the terminal marks what is pasted
	pasteOff = "\x1b[?2004l"
)

// Read returns the next text, which has several lines if they were pasted, typed
// with Alt-Enter between them, or asked for by More. It returns io.EOF for Ctrl-D on
// an empty line.
func (e *Editor) Read() (string, error) {
	e.text, e.at, e.recall, e.own, e.row = nil, 0, e.History.Len(), "", 0
	if err := e.write(pasteOn); err != nil {
		return "", err
	}
	done, err := false, e.draw()
	for !done && err == nil {
		done, err = e.key()
		if err == nil && !done && e.in.Buffered() == 0 {
			err = e.draw()
		}
	}
	text := strings.Join(e.text, "")
	e.at = len(e.text)
	if drawErr := e.draw(); err == nil {
		err = drawErr
	}
	if endErr := e.write("\r\n" + pasteOff); err == nil {
		err = endErr
	}
	if err != nil {
		return "", err
	}
	e.History.add(text)
	return text, nil
}

func (e *Editor) write(s string) error {
	_, err := io.WriteString(e.out, s)
	return err
}

// key obeys one key. It reports whether the text is complete.
func (e *Editor) key() (done bool, err error) {
	r, _, err := e.in.ReadRune()
	if err != nil {
		return false, err
	}
	switch r {
	case '\r', '\n': // a line feed was typed before the terminal was raw
		if e.More == nil || !e.More(strings.Join(e.text, "")) {
			return true, nil
		}
		e.insert("\n")
	case ctrl('A'):
		e.at = e.lineStart()
	case ctrl('B'):
		e.at = max(e.at-1, 0)
	case ctrl('C'):
		if len(e.text) == 0 {
			return false, ErrInterrupted
		}
		return false, e.abandon()
	case ctrl('D'):
		if len(e.text) == 0 {
			return false, io.EOF
		}
		e.cut(e.at, e.at+1)
	case ctrl('E'):
		e.at = e.lineEnd()
	case ctrl('F'):
		e.at = min(e.at+1, len(e.text))
	case ctrl('H'), 0x7f:
		e.cut(e.at-1, e.at)
	case ctrl('K'):
		e.kill(e.at, e.lineEnd())
	case ctrl('L'):
		e.row = 0
		return false, e.write("\x1b[H\x1b[2J")
	case ctrl('N'):
		e.down()
	case ctrl('P'):
		e.up()
	case ctrl('U'):
		e.kill(e.lineStart(), e.at)
	case ctrl('W'):
		e.kill(e.wordStart(), e.at)
	case ctrl('Y'):
		e.insert(strings.Join(e.killed, ""))
	case 0x1b:
		return false, e.escape()
	default:
		if r >= ' ' {
			e.insert(string(r))
		}
	}
	return false, nil
}

func ctrl(letter rune) rune { return letter - '@' }

// escape obeys a key that sends an escape sequence (ECMA-48, xterm).
func (e *Editor) escape() error {
	r, _, err := e.in.ReadRune()
	if err != nil {
		return err
	}
	switch r {
	case '\r', '\n':
		e.insert("\n")
	case 'b', 'B':
		e.at = e.wordStart()
	case 'f', 'F':
		e.at = e.wordEnd()
	case 'd', 'D':
		e.kill(e.at, e.wordEnd())
	case 0x7f, ctrl('H'):
		e.kill(e.wordStart(), e.at)
	case 'O', '[':
		return e.sequence()
	}
	return nil
}

func (e *Editor) sequence() error {
	var args []byte
	for {
		b, err := e.in.ReadByte()
		if err != nil {
			return err
		}
		if b < '@' || b > '~' {
			if args = append(args, b); len(args) > 32 {
				return nil // none that a keyboard sends
			}
			continue
		}
		_, modifier, _ := strings.Cut(string(args), ";")
		byWord := modifier == "3" || modifier == "5" // Alt, Ctrl
		switch string(b) {
		case "A":
			e.up()
		case "B":
			e.down()
		case "C":
			if e.at = min(e.at+1, len(e.text)); byWord {
				e.at = e.wordEnd()
			}
		case "D":
			if byWord {
				e.at = e.wordStart()
			} else {
				e.at = max(e.at-1, 0)
			}
		case "F":
			e.at = e.lineEnd()
		case "H":
			e.at = e.lineStart()
		case "~":
			switch string(args) {
			case "1", "7":
				e.at = e.lineStart()
			case "4", "8":
				e.at = e.lineEnd()
			case "3":
				e.cut(e.at, e.at+1)
			case "200":
				return e.paste()
			}
		}
		return nil
	}
}

// paste inserts all up to the mark of its end.
func (e *Editor) paste() error {
	const end = "\x1b[201~"
	var b []byte
	for !strings.HasSuffix(string(b[max(0, len(b)-len(end)):]), end) {
		c, err := e.in.ReadByte()
		if err != nil {
			return err
		}
		if b = append(b, c); e.MaxText > 0 && len(b) > e.MaxText+len(end) {
			return ErrTooLong
		}
	}
	text := strings.ToValidUTF8(string(b[:len(b)-len(end)]), string(utf8.RuneError))
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	e.insert(strings.TrimSuffix(text, "\n"))
	return nil
}

// insert adds s at the cursor. A mark may join the character before it.
func (e *Editor) insert(s string) {
	from := max(0, e.at-1)
	before := strings.Join(e.text[from:e.at], "")
	added := clusters(before + s)
	e.text = slices.Concat(e.text[:from], added, e.text[e.at:])
	e.at = from + len(added)
}

// clusters cuts a text into what people take for characters (UAX #29).
func clusters(s string) (list []string) {
	for state := -1; s != ""; {
		var c string
		c, s, _, state = uniseg.FirstGraphemeClusterInString(s, state)
		list = append(list, c)
	}
	return list
}

// cut takes text[from:to] out, as far as there is such, and leaves the cursor there.
func (e *Editor) cut(from, to int) {
	if from, to = max(from, 0), min(to, len(e.text)); from < to {
		e.text = slices.Delete(slices.Clone(e.text), from, to)
		e.at = from
	}
}

func (e *Editor) kill(from, to int) {
	if from < to {
		e.killed = slices.Clone(e.text[from:to])
		e.cut(from, to)
	}
}

func (e *Editor) lineStart() int {
	i := e.at
	for i > 0 && e.text[i-1] != "\n" {
		i--
	}
	return i
}

func (e *Editor) lineEnd() int {
	i := e.at
	for i < len(e.text) && e.text[i] != "\n" {
		i++
	}
	return i
}

func letter(c string) bool {
	r, _ := utf8.DecodeRuneInString(c)
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

func (e *Editor) wordStart() int {
	i := e.at
	for i > 0 && !letter(e.text[i-1]) {
		i--
	}
	for i > 0 && letter(e.text[i-1]) {
		i--
	}
	return i
}

func (e *Editor) wordEnd() int {
	i := e.at
	for i < len(e.text) && !letter(e.text[i]) {
		i++
	}
	for i < len(e.text) && letter(e.text[i]) {
		i++
	}
	return i
}

// up moves to the line above, or from the first line to the entry before.
func (e *Editor) up() {
	start := e.lineStart()
	if start == 0 {
		e.show(e.recall - 1)
		return
	}
	column := e.at - start
	e.at = start - 1
	e.at = min(e.lineStart()+column, start-1)
}

// down moves to the line below, or from the last line to the next entry.
func (e *Editor) down() {
	end := e.lineEnd()
	if end == len(e.text) {
		e.show(e.recall + 1)
		return
	}
	column := e.at - e.lineStart()
	e.at = end + 1
	e.at = min(e.at+column, e.lineEnd())
}

// show brings an entry of the history; behind the last one stands what was typed.
func (e *Editor) show(entry int) {
	if entry < 0 || entry > e.History.Len() {
		return
	}
	if e.recall == e.History.Len() {
		e.own = strings.Join(e.text, "")
	}
	text := e.own
	if e.recall = entry; entry < e.History.Len() {
		text = e.History.entries[entry]
	}
	e.text = clusters(text)
	e.at = len(e.text)
}

// abandon leaves what was typed on the screen and begins anew below it.
func (e *Editor) abandon() error {
	e.at = len(e.text)
	if err := e.draw(); err != nil {
		return err
	}
	e.text, e.at, e.recall, e.own, e.row = nil, 0, e.History.Len(), "", 0
	return e.write("^C\r\n")
}
