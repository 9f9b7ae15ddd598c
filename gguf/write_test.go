package gguf

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/ggufbuild"
	"github.com/normswap/normswap/quant"
)

// TestWriterLayout compares with bytes laid out by hand.
func TestWriterLayout(t *testing.T) {
	var m Meta
	m.Set("a", "x")
	m.Set(keyAlignment, uint32(64))
	m.Set("b", []uint16{7, 8})
	m.Set("c", []string{"", "yz"})
	m.Set("d", true)
	infos := []TensorInfo{{"q", quant.Q8_0, []int{32, 1}}, {"none", quant.F32, []int{0}}, {"f", quant.F32, []int{2}}}
	var got bytes.Buffer
	w, err := NewWriter(&got, 2, &m, infos)
	if err != nil {
		t.Fatal(err)
	}
	q8, f32 := bytes.Repeat([]byte{1}, 34), bytes.Repeat([]byte{2}, 8)
	// In pieces and whole.
	for _, step := range []func() error{
		func() error { return w.Begin("q") },
		func() error { _, err := w.Write(q8[:10]); return err },
		func() error { _, err := w.Write(nil); return err },
		func() error { _, err := w.Write(q8[10:]); return err },
		func() error { return w.Tensor("none", nil) },
		func() error { return w.Tensor("f", f32) },
		w.Close,
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	want := ggufbuild.Bytes(header(2, 3, 5),
		pair("a", 8, "x"), pair(keyAlignment, 4, uint32(64)), pair("b", 9, uint32(2), uint64(2), []uint16{7, 8}),
		pair("c", 9, uint32(8), uint64(2), "", "yz"), pair("d", 7, true),
		tensor("q", 8, 0, 32, 1), tensor("none", 0, 64, 0), tensor("f", 0, 64, 2))
	want = ggufbuild.Pad(append(ggufbuild.Pad(want, 64), q8...), 64)
	want = ggufbuild.Pad(append(want, f32...), 64)
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the file is\n%x, want\n%x", got.Bytes(), want)
	}
}

func TestWriterRefuses(t *testing.T) {
	f32 := func(name string, dims ...int) TensorInfo { return TensorInfo{name, quant.F32, dims} }
	for _, c := range []struct {
		want    string
		version uint32
		tensors []TensorInfo
	}{
		{"unknown version 1", 1, nil},
		{"unknown version 4", 4, nil},
		{"a name has", 3, []TensorInfo{f32("", 1)}},
		{"a name has", 3, []TensorInfo{f32(strings.Repeat("n", 65), 1)}},
		{"duplicate", 3, []TensorInfo{f32("a", 1), f32("a", 1)}},
		{"number of dimensions", 3, []TensorInfo{f32("a")}},
		{"number of dimensions", 3, []TensorInfo{f32("a", 1, 1, 1, 1, 1)}},
		{"overflows", 3, []TensorInfo{f32("a", -1)}},
		{"overflows", 3, []TensorInfo{f32("a", 1<<32, 1<<32)}},
		{"overflows", 3, []TensorInfo{f32("a", 1<<60), f32("b", 1<<60)}},
		{"not whole blocks", 3, []TensorInfo{{"a", quant.Q4_K, []int{32}}}},
		{"unknown type 99", 3, []TensorInfo{{"a", 99, []int{32}}}},
	} {
		var b bytes.Buffer
		if _, err := NewWriter(&b, c.version, &Meta{}, c.tensors); err == nil || !strings.Contains(err.Error(), c.want) || b.Len() > 0 {
			t.Errorf("%v: %v after %d bytes, want %q", c.tensors, err, b.Len(), c.want)
		}
	}
	var m Meta
	m.Set(keyAlignment, uint32(3))
	if _, err := NewWriter(io.Discard, 3, &m, nil); err == nil {
		t.Error("the alignment 3 is written")
	}

	w, err := NewWriter(io.Discard, 3, &Meta{}, []TensorInfo{f32("a", 1), f32("b", 1)})
	if err != nil {
		t.Fatal(err)
	}
	four := make([]byte, 4)
	refuse := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
	write := func(p []byte) error { _, err := w.Write(p); return err }
	refuse("4 bytes of data where 0 are left", write(four))
	refuse(`tensor "a" was not written`, w.Close())
	refuse(`tensor "a" is next`, w.Begin("b"))
	if err := w.Begin("a"); err != nil {
		t.Error(err)
	}
	refuse("5 bytes of data where 4 are left", write(make([]byte, 5)))
	if err := write(four[:3]); err != nil {
		t.Error(err)
	}
	refuse(`tensor "a" lacks 1 bytes`, w.Begin("b"))
	refuse(`tensor "a" lacks 1 bytes`, w.Close())
	if err := write(four[:1]); err != nil {
		t.Error(err)
	}
	refuse(`tensor "b" has 3 bytes, want 4`, w.Tensor("b", four[:3]))
	if err := errors.Join(write(four), w.Close()); err != nil {
		t.Error(err)
	}
	refuse(`tensor "c" is one too many`, w.Begin("c"))
}

// full is a disk with room for so many bytes.
type full int

var errFull = errors.New("no space left on device")

func (n *full) Write(p []byte) (int, error) {
	if len(p) > int(*n) {
		k := int(*n)
		*n = 0
		return k, errFull
	}
	*n -= full(len(p))
	return len(p), nil
}

func TestDiskFull(t *testing.T) {
	f, err := Parse(ggufbuild.File(nil, [][]byte{tensor("a", 0, 0, 1), tensor("b", 0, 32, 1)}, make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	if err := Write(&whole, f); err != nil {
		t.Fatal(err)
	}
	for n := range whole.Len() {
		room := full(n)
		if err := Write(&room, f); !errors.Is(err, errFull) {
			t.Errorf("with room for %d bytes: %v", n, err)
		}
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.gguf")
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	only := func(want string) {
		t.Helper()
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("the folder has %v, %v", entries, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("the file has %q, %v, want %q", got, err, want)
		}
	}
	for _, s := range []string{"first", "second"} {
		if err := WriteFile(path, text(s)); err != nil {
			t.Fatal(err)
		}
		only(s)
	}
	err := WriteFile(path, func(w io.Writer) error { return errors.Join(text("third")(w), errFull) })
	if !errors.Is(err, errFull) || !strings.Contains(err.Error(), path) {
		t.Errorf("the error is %v", err)
	}
	only("second")
	for _, bad := range []string{dir, filepath.Join(dir, "absent", "out.gguf")} {
		if err := WriteFile(bad, text("x")); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("WriteFile(%s): %v", bad, err)
		}
	}
	only("second")
}
