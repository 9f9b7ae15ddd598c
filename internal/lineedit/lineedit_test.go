package lineedit_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/lineedit"
	"github.com/rivo/uniseg"
)

// A screen is a terminal that knows what an editor sends: what stands in its cells,
// and where the cursor is. A wide character leaves the cell behind it empty.
type screen struct {
	t             *testing.T
	columns, rows int
	cells         [][]string
	row, column   int
}

var control = regexp.MustCompile(`^\x1b\[([?0-9;]*)([A-Za-z])`)

func (s *screen) Write(p []byte) (int, error) {
	for text := string(p); text != ""; {
		if m := control.FindStringSubmatch(text); m != nil {
			text = text[len(m[0]):]
			n, _ := strconv.Atoi(m[1])
			switch m[2] {
			case "A":
				s.row = max(0, s.row-n)
			case "C":
				s.column = min(s.column+n, s.columns-1)
			case "H":
				s.row, s.column = 0, 0
			case "J":
				s.erase(n == 2)
			case "h", "l":
			default:
				s.t.Errorf("the sequence %q", m[0])
			}
			continue
		}
		c, rest, w, _ := uniseg.FirstGraphemeClusterInString(text, -1)
		switch text = rest; c {
		case "\r\n":
			s.column = 0
			s.row++
		case "\r":
			s.column = 0
		default:
			if c < " " {
				s.t.Errorf("the control %q", c)
			}
			for len(s.cells) <= s.row {
				s.cells = append(s.cells, slices.Repeat([]string{" "}, s.columns))
			}
			if s.column+w >= s.columns && w < s.columns-1 {
				s.t.Errorf("%q goes into the last column", c)
			}
			s.cells[s.row][min(s.column, s.columns-1)] = c
			if w == 2 && s.column+1 < s.columns {
				s.cells[s.row][s.column+1] = ""
			}
			s.column += w
		}
	}
	for s.row >= s.rows {
		if len(s.cells) > 0 {
			s.cells = s.cells[1:]
		}
		s.row--
	}
	return len(p), nil
}

func (s *screen) erase(all bool) {
	if all {
		s.cells = nil
		return
	}
	s.cells = s.cells[:min(len(s.cells), s.row+1)]
	if s.row < len(s.cells) {
		for i := s.column; i < s.columns; i++ {
			s.cells[s.row][i] = " "
		}
	}
}

func (s *screen) String() string {
	var lines []string
	for _, row := range s.cells {
		lines = append(lines, strings.TrimRight(strings.Join(row, ""), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// keys gives one key at a time, so that the editor draws after each.
type keys struct{ list []string }

func (k *keys) Read(p []byte) (int, error) {
	if len(k.list) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, k.list[0])
	k.list = k.list[1:]
	return n, nil
}

const (
	up, down, right, left = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
	home, end, del        = "\x1b[H", "\x1b[F", "\x1b[3~"
	back, altEnter        = "\x7f", "\x1b\r"
	ctrlC, ctrlD          = "\x03", "\x04"
)

func pasted(s string) string { return "\x1b[200~" + s + "\x1b[201~" }

// begin makes an editor that gets the keys.
func begin(t *testing.T, columns, rows int, list ...string) (*lineedit.Editor, *screen) {
	s := &screen{t: t, columns: columns, rows: rows}
	e := lineedit.New(&keys{list}, s)
	e.Size = func() (int, int) { return columns, rows }
	return e, s
}

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		what, want string
		keys       []string
	}{
		{"letters", "hello", []string{"h", "ello", "\r"}},
		{"a wide character is one", "日語", []string{"日本語", left, back, "\r"}},
		{"a mark belongs to its letter", "x", []string{"xe", "\u0301", back, "\r"}},
		{"a family is one character", "a", []string{"a👨‍👩‍👧", back, "\r"}},
		{"delete", "ac", []string{"abc", left, left, del, "\r"}},
		{"Ctrl-D deletes", "ac", []string{"abc", left, left, ctrlD, "\r"}},
		{"home, end", "<abc>", []string{"abc", home, "<", end, ">", "\r"}},
		{"Ctrl-A, Ctrl-E", "<abc>", []string{"abc", "\x01", "<", "\x05", ">", "\r"}},
		{"words", "one 2 three", []string{"one two three", "\x1bb", "\x1b[1;5D", "\x1bd", "2", "\r"}},
		{"forward by words", "one, two!", []string{"one two", home, "\x1bf", ",", "\x1b[1;5C", "!", "\r"}},
		{"Ctrl-W, Ctrl-Y", "one two two", []string{"one two", "\x17", "\x19", " ", "\x19", "\r"}},
		{"Ctrl-U, Ctrl-K", "b", []string{"abc", left, left, "\x15", right, "\x0b", "\r"}},
		{"Ctrl-C clears the line", "new", []string{"old", ctrlC, "new", "\r"}},
		{"a pasted block is one text", "a\nb\n\tc", []string{pasted("a\r\nb\r\tc\n"), "\r"}},
		{"what is pasted is no key", "a\x03\x1b[Ab", []string{pasted("a\x03\x1b[Ab"), "\r"}},
		{"Alt-Enter", "a\nb", []string{"a", altEnter, "b", "\r"}},
		{"lines up and down", "ab!\nc?d\ne", []string{pasted("ab\ncd\ne"), up, "?", up, "!", "\r"}},
		{"down by lines", "a\nbcd\nef!", []string{pasted("a\nbcd\nef"), up, up, down, right, right, down, "!", "\r"}},
		{"unknown keys", "a", []string{"\x1b[99~", "\x1bOP", "\x1bz", "\x00", "a", "\x1b[5~", "\r"}},
		{"typed before the editor was there", "x", []string{"x\n"}},
	} {
		e, _ := begin(t, 40, 10, c.keys...)
		if got, err := e.Read(); got != c.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", c.what, got, err, c.want)
		}
	}
}

func TestEnds(t *testing.T) {
	for key, want := range map[string]error{ctrlC: lineedit.ErrInterrupted, ctrlD: io.EOF, "": io.ErrUnexpectedEOF} {
		e, _ := begin(t, 40, 10, "x", back, key)
		if _, err := e.Read(); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", key, err, want)
		}
	}
	e, _ := begin(t, 40, 10, pasted(strings.Repeat("x", 11)))
	e.MaxText = 10
	if _, err := e.Read(); !errors.Is(err, lineedit.ErrTooLong) {
		t.Errorf("11 bytes: %v", err)
	}
}

// TestScreen: what stands on the screen, and where the cursor is.
func TestScreen(t *testing.T) {
	for _, c := range []struct {
		columns, rows int
		want          string
		row, column   int
		keys          []string
	}{
		{20, 5, "> abc", 0, 5, []string{"abc"}},
		{20, 5, "> 日本語", 0, 6, []string{"日本語", left}},
		{20, 5, "> 日語", 0, 4, []string{"日本語", left, back}},
		{8, 5, "> abcde\nfg", 1, 2, []string{"abcdefg"}},
		{8, 5, "> abcde", 0, 7, []string{"abcde"}},
		{8, 5, "> abcde\nfg", 0, 2, []string{"abcdefg", home}},
		{8, 5, "> abcd\n日", 1, 2, []string{"abcd日"}}, // it has no room in the row
		{20, 5, "> a\n  b", 1, 3, []string{pasted("a\nb")}},
		{20, 5, "> a\n  b", 0, 3, []string{pasted("a\nb"), up}},
		{20, 5, "> ab", 0, 4, []string{pasted("a\nb"), left, back, end}},
		{20, 5, ">     x�", 0, 8, []string{pasted("\tx\u202e"), left, right}},
		{20, 3, "  c\n  d\n  e", 2, 3, []string{pasted("a\nb\nc\nd\ne")}},
		{20, 3, "> a\n  b\n  c", 0, 3, []string{pasted("a\nb\nc\nd\ne"), up, up, up, up}},
		{20, 9, "> old^C\n> new", 1, 5, []string{"old", ctrlC, "new"}},
		{20, 9, "> ", 0, 2, []string{"old", "\x15"}},
		{20, 9, "> x", 0, 3, []string{"old", ctrlC, "x", "\x0c"}},
	} {
		e, s := begin(t, c.columns, c.rows, c.keys...)
		// What an end adds comes last: the screen before it is of interest.
		var last string
		var row, column int
		e.Size = func() (int, int) { last, row, column = s.String(), s.row, s.column; return c.columns, c.rows }
		if _, err := e.Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		if strings.TrimRight(last, " ") != strings.TrimRight(c.want, " ") || row != c.row || column != c.column {
			t.Errorf("%q on %d x %d: %q with the cursor in %d, %d; want %q, %d, %d", c.keys, c.columns, c.rows, last, row, column, c.want, c.row, c.column)
		}
	}
	// No size is too small.
	for columns := range 3 {
		for rows := range 3 {
			e, s := begin(t, 100, 100, "a日", left, pasted("b\nc"), up, "\r")
			e.Size = func() (int, int) { return columns, rows }
			if got, err := e.Read(); got != "ab\nc日" && got != "b\nca日" || err != nil {
				t.Errorf("%d x %d: %q, %v; %q", columns, rows, got, err, s)
			}
		}
	}
}

func TestMore(t *testing.T) {
	e, _ := begin(t, 40, 10, `"""a`, "\r", "b", "\r", `"""`, "\r", "c", "\r")
	e.More = func(text string) bool { return strings.Count(text, `"""`) == 1 }
	for _, want := range []string{"\"\"\"a\nb\n\"\"\"", "c"} {
		if got, err := e.Read(); got != want || err != nil {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
}

// read returns the texts that an editor reads with a history.
func read(t *testing.T, h *lineedit.History, list ...string) (texts []string) {
	t.Helper()
	e, _ := begin(t, 40, 10, list...)
	e.History = h
	for {
		text, err := e.Read()
		if err != nil {
			return texts
		}
		texts = append(texts, text)
	}
}

// TestHistory: a pasted block comes back whole, what was typed is not lost, and
// another program reads the file, which is its owner's alone.
func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "history")
	h, err := lineedit.OpenHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, h, "one\r", pasted("a\nb"), "\r", up, "!", "\r", "draft", up, up, up, up, up, down, down, down, down, "\r", "\r", " secret\r")
	if want := []string{"one", "a\nb", "a\nb!", "draft", "", " secret"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if h.Err() != nil {
		t.Fatal(h.Err())
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	if h, err = lineedit.OpenHistory(path); err != nil || h.Len() != 4 {
		t.Fatalf("%d entries, %v; want 4 without the secret", h.Len(), err)
	}
	h.Forget()
	if got, want := read(t, h, up, up, up, "\r", up, up, up, "\r"), []string{"a\nb!", "draft"}; !slices.Equal(got, want) {
		t.Errorf("another program: %q, want %q", got, want)
	}
	if h, err = lineedit.OpenHistory(path); err != nil || h.Len() != 4 {
		t.Errorf("after Forget there are %d entries, %v", h.Len(), err)
	}
}

// TestHistoryBound: the file does not grow without end.
func TestHistoryBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	var b strings.Builder
	for i := range 2500 {
		b.WriteString(strconv.Quote(strconv.Itoa(i)) + "\n")
	}
	if err := os.WriteFile(path, []byte(b.String()+"no JSON\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h, err := lineedit.OpenHistory(path)
		if err != nil || h.Len() != 1000 {
			t.Fatalf("%d entries, %v", h.Len(), err)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || strings.Count(string(after), "\n") != 1000 || !strings.HasPrefix(string(after), `"1500"`) {
		t.Errorf("the file has %d lines, %v", strings.Count(string(after), "\n"), err)
	}
	if _, err := lineedit.OpenHistory(t.TempDir()); err == nil {
		t.Error("a folder is no history")
	}
}
