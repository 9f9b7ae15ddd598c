//go:build unix

package gguf

import (
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
