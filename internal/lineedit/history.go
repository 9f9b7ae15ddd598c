package lineedit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A History is the texts that were read, the last one last. One that came from a
// file is kept there, a JSON string a line, which only its owner can read.
type History struct {
	entries []string
	path    string // or "": it is not kept
	err     error  // the first that kept an entry from the file
}

// The bounds of a history.
const (
	maxEntries = 1000
	maxEntry   = 64 << 10 // bytes; a longer one lives as long as the program
)

// OpenHistory reads the history of a file, which need not exist.
func OpenHistory(path string) (*History, error) {
	h := &History{path: path}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lineedit: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 8*maxEntry)
	n := 0
	for lines.Scan() {
		n++
		var text string
		if json.Unmarshal(lines.Bytes(), &text) == nil {
			h.entries = append(h.entries, text)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("lineedit: %s: %w", path, err)
	}
	h.entries = h.entries[max(0, len(h.entries)-maxEntries):]
	if n > 2*maxEntries {
		err = h.rewrite()
	}
	return h, err
}

// Len is the number of entries.
func (h *History) Len() int { return len(h.entries) }

// Path is the file where entries are kept, "" if they are not.
func (h *History) Path() string { return h.path }

// Err returns the first error of writing the file.
func (h *History) Err() error { return h.err }

// Forget stops keeping entries in the file.
func (h *History) Forget() { h.path = "" }

// add appends an entry, unless it is empty or the last one again. One that begins
// with a space is not written to the file.
func (h *History) add(text string) {
	if strings.TrimSpace(text) == "" || len(h.entries) > 0 && h.entries[len(h.entries)-1] == text {
		return
	}
	h.entries = append(h.entries, text)
	if h.path == "" || h.err != nil || len(text) > maxEntry || text[0] == ' ' {
		return
	}
	h.err = h.appendEntry(text)
}

func (h *History) appendEntry(text string) error {
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(h.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(line(text))
	return errors.Join(err, f.Close())
}

// rewrite makes the file what is in memory.
func (h *History) rewrite() error {
	f, err := os.CreateTemp(filepath.Dir(h.path), ".history-*") // with mode 0600
	if err != nil {
		return err
	}
	var all []byte
	for text := range slices.Values(h.entries) {
		all = append(all, line(text)...)
	}
	_, err = f.Write(all)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), h.path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // as far as it is there
	}
	return err
}

// line is an entry as it stands in the file.
func line(text string) []byte {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always has a form
	}
	return append(b, '\n')
}
