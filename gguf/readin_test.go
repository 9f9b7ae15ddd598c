package gguf

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// TestReadIn: the tensors are the same bytes afterwards, whatever becomes of
// the file; an interrupted copy leaves the mapping in place.
func TestReadIn(t *testing.T) {
	original := testdata.Read(t, "archs/gpt2.gguf")
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, original, 0o666); err != nil {
		t.Fatal(err)
	}
	want, err := Parse(original)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	same := func() {
		t.Helper()
		for i := range want.Tensors {
			if !bytes.Equal(f.Tensors[i].Data, want.Tensors[i].Data) {
				t.Errorf("%s differs", want.Tensors[i].Name)
			}
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	err = f.ReadIn(stopped, nil)
	if runtime.GOOS != "linux" {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("without huge pages: %v", err)
		}
		return
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	same()

	short := filepath.Join(t.TempDir(), "short.gguf")
	if err := os.WriteFile(short, original, 0o666); err != nil {
		t.Fatal(err)
	}
	g, err := Open(short)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(short, int64(len(original)/2)); err != nil {
		t.Fatal(err)
	}
	err = g.ReadIn(t.Context(), nil)
	if want := "short.gguf changed while it was in use"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a file that has shrunk: %v, want %q", err, want)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}

	var read, total int64
	if err := f.ReadIn(t.Context(), func(n, all int64) { read, total = n, all }); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	same()
	if read != want.DataBytes() || total != read {
		t.Errorf("progress ended at %d of %d bytes, want %d", read, total, want.DataBytes())
	}
	if err := f.ReadAhead(t.Context(), func(n, all int64) { read, total = n, all }); err != nil || read != total {
		t.Errorf("reading ahead ended at %d of %d bytes: %v", read, total, err)
	}
	if err := f.ReadAhead(stopped, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("reading ahead, interrupted: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
