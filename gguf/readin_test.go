package gguf

import (
	"bytes"
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
	stop := errors.New("stop")
	err = f.ReadIn(func(int) error { return stop })
	if runtime.GOOS != "linux" {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("without huge pages: %v", err)
		}
		return
	}
	if !errors.Is(err, stop) {
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
	err = g.ReadIn(func(int) error { return nil })
	if want := "short.gguf changed while it was in use"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a file that has shrunk: %v, want %q", err, want)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}

	total := 0
	if err := f.ReadIn(func(n int) error { total += n; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	same()
	for i := range want.Tensors {
		total -= len(want.Tensors[i].Data)
	}
	if total != 0 {
		t.Errorf("progress is %d bytes off", total)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
