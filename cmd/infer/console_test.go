package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A console that is a terminal makes text plain, however it is cut into writes.
func TestConsole(t *testing.T) {
	const text = "a\x1b[2Jé\u009b日\u202e本\U0001f600\r\n\tb\xff"
	for size := 1; size <= len(text); size++ {
		for _, terminal := range []bool{false, true} {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			c := &console{file: w, terminal: terminal}
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				if k, err := c.Write([]byte(rest[:n])); k != n || err != nil {
					t.Fatal(k, err)
				}
				rest = rest[n:]
			}
			w.Close()
			got, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			want := text
			if terminal {
				want = "a�[2Jé�日�本\U0001f600�\n\tb�"
			}
			if string(got) != want {
				t.Errorf("in writes of %d, terminal %t: %q, want %q", size, terminal, got, want)
			}
		}
	}
}

// TestOneWayOut: nothing but console.go writes to the process's own stdout and
// stderr, so that there is one place that makes text plain.
func TestOneWayOut(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	direct := regexp.MustCompile(`os\.Std(out|err)\b|fmt\.Print|\bprintln?\(|\bcmd\.Print`)
	for _, name := range files {
		if name == "console.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := direct.Find(b); found != nil {
			t.Errorf("%s has %s; write to stdout and stderr of console.go, or to their file what only the program says", name, found)
		}
	}
}
