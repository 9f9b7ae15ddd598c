//go:build unix

package gguf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpenDoesNotWait: what is no file is refused, not read.
func TestOpenDoesNotWait(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo.gguf")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, "/dev/zero", "/dev/null"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path+" is not a regular file") {
			t.Errorf("Open(%s): %v", path, err)
		}
	}
}

// TestOpenUnmaps: what cannot be opened is not left mapped.
func TestOpenUnmaps(t *testing.T) {
	dir := t.TempDir()
	for name, b := range parts() {
		if name != "m-00003-of-00003.gguf" {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	cut := filepath.Join(dir, "cut.gguf")
	if err := os.WriteFile(cut, everyKind()[:500], 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{cut, filepath.Join(dir, "m-00001-of-00003.gguf"), filepath.Join(dir, "m-00002-of-00003.gguf")} {
		if f, err := Open(path); err == nil {
			f.Close()
			t.Errorf("%s opens", path)
		}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip("this system does not tell what is mapped")
	}
	if strings.Contains(string(maps), dir) {
		t.Errorf("files are still mapped:\n%s", maps)
	}
}
