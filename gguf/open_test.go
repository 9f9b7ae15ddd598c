package gguf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/ggufbuild"
	"github.com/normswap/normswap/internal/testdata"
)

func TestOpenNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := func(name string, content []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, content, 0o666); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "absent.gguf"), "no such file"},
		{dir, "not a regular file"},
		{path("empty.gguf", nil), "file ends within the magic number"},
		{path("text.gguf", []byte("Once upon a time")), "not a GGUF file"},
		{path("cut.gguf", everyKind()[:500]), "file ends within"},
	} {
		f, err := Open(c.path)
		if f != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("Open(%s): %v, want %q and the path", c.path, err, c.want)
		}
	}
	var e *FormatError
	if _, err := Open(filepath.Join(dir, "text.gguf")); !errors.As(err, &e) || e.Off != 0 || e.Val != "Once" {
		t.Errorf("%v is not the FormatError wanted", err)
	}
}

func TestOpenIsParse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, everyKind(), 0o666); err != nil {
		t.Fatal(err)
	}
	opened, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(everyKind())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(opened.Tensors, parsed.Tensors) || !reflect.DeepEqual(opened.Meta, parsed.Meta) ||
		!reflect.DeepEqual(opened.Paths, []string{path}) || parsed.Paths != nil {
		t.Errorf("Open gives %+v, Parse %+v", opened, parsed)
	}
	use(t, opened, everyKind())
	for range 2 {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}
	if opened.Tensors[0].Data != nil {
		t.Error("a tensor has data after Close")
	}
}

// parts returns the files of a model in three parts, keyed by name.
func parts() map[string][]byte {
	files := make(map[string][]byte)
	for no := range uint16(3) {
		pairs := [][]byte{pair("split.no", 2, no), pair("split.count", 2, uint16(3)), pair("split.tensors.count", 5, int32(3))}
		if no == 0 {
			pairs = append(pairs, pair("general.architecture", 8, "gpt2"))
		}
		files[fmt.Sprintf("m-%05d-of-00003.gguf", no+1)] = ggufbuild.File(pairs,
			[][]byte{tensor(string(rune('a'+no)), 0, 0, 2)}, ggufbuild.Bytes(float32(no), float32(no), make([]byte, 24)))
	}
	return files
}

func TestSplit(t *testing.T) {
	write := func(t *testing.T, files map[string][]byte) string {
		dir := t.TempDir()
		for name, b := range files {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	const first, second, third = "m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"

	dir := write(t, parts())
	f, err := Open(filepath.Join(dir, first))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, name := range []string{"a", "b", "c"} {
		tn, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("tensor %q is not there", name)
		}
		if x, err := tn.Float32s(); err != nil || !reflect.DeepEqual(x, []float32{float32(i), float32(i)}) {
			t.Errorf("tensor %q is %v, %v", name, x, err)
		}
	}
	if got := f.Meta.All(); !reflect.DeepEqual(got, []KV{{"general.architecture", "gpt2"}}) || len(f.Paths) != 3 {
		t.Errorf("metadata %v of files %v", got, f.Paths)
	}
	var joined bytes.Buffer
	if err := Write(&joined, f); err != nil {
		t.Fatal(err)
	}
	if whole, err := Parse(joined.Bytes()); err != nil || len(whole.Tensors) != 3 {
		t.Errorf("the joined file: %v", err)
	}

	part := func(no, count uint16, more ...[]byte) [][]byte {
		return append([][]byte{pair("split.no", 2, no), pair("split.count", 2, count)}, more...)
	}
	a := [][]byte{tensor("a", 0, 0, 1)}
	data := make([]byte, 32)
	for _, c := range []struct {
		name, open, want string
		change           func(files map[string][]byte)
	}{
		{"a part is missing", first, second, func(f map[string][]byte) { delete(f, second) }},
		{"the last is missing", first, third, func(f map[string][]byte) { delete(f, third) }},
		{"not the first", second, "open the first, ", func(f map[string][]byte) {}},
		{"out of order", first, "is part 3 of 3, want part 2 of 3", func(f map[string][]byte) { f[second], f[third] = f[third], f[second] }},
		{"renamed", "m.gguf", "must end in -00001-of-00003.gguf", func(f map[string][]byte) { f["m.gguf"] = f[first] }},
		{"numbered from 0", "m-00000-of-00003.gguf", "must end in -00001-of-00003.gguf", func(f map[string][]byte) { f["m-00000-of-00003.gguf"] = f[first] }},
		{"another count in the name", "m-00001-of-00002.gguf", "must end in -00001-of-00003.gguf", func(f map[string][]byte) { f["m-00001-of-00002.gguf"] = f[first] }},
		{"counts disagree", first, "is part 2 of 4, want part 2 of 3", func(f map[string][]byte) { f[second] = ggufbuild.File(part(1, 4), nil, nil) }},
		{"no part", first, "is part 1 of 1, want part 2 of 3", func(f map[string][]byte) { f[second] = ggufbuild.File(nil, nil, nil) }},
		{"duplicate tensor", first, `tensor "a" is also in another part`, func(f map[string][]byte) { f[third] = ggufbuild.File(part(2, 3), a, data) }},
		{"tensor count", first, "but the parts have 2 tensors", func(f map[string][]byte) { f[third] = ggufbuild.File(part(2, 3), nil, nil) }},
		{"another architecture", first, `architecture is "llama"`, func(f map[string][]byte) {
			f[second] = ggufbuild.File(part(1, 3, pair("general.architecture", 8, "llama")), nil, nil)
		}},
		{"architectures in a list", first, `architecture is "[gpt2]"`, func(f map[string][]byte) {
			list := func(name string) []byte {
				return pair("general.architecture", 9, uint32(8), uint64(1), ggufbuild.Bytes(name))
			}
			f[first] = ggufbuild.File(part(0, 3, list("llama")), nil, nil)
			f[second] = ggufbuild.File(part(1, 3, list("gpt2")), nil, nil)
		}},
		{"broken part", first, "more tensors than", func(f map[string][]byte) { f[second] = f[second][:30] }},
		{"no number", first, `"split.no" is missing`, func(f map[string][]byte) {
			f[first] = ggufbuild.File([][]byte{pair("split.count", 2, uint16(3))}, nil, nil)
		}},
		{"count of 2^32-1", first, "must end in -00001-of-4294967295.gguf", func(f map[string][]byte) {
			f[first] = ggufbuild.File([][]byte{pair("split.no", 2, uint16(0)), pair("split.count", 4, ^uint32(0))}, nil, nil)
		}},
		{"count of string", first, `"split.count" is a string`, func(f map[string][]byte) {
			f[first] = ggufbuild.File([][]byte{pair("split.count", 8, "3")}, nil, nil)
		}},
	} {
		files := parts()
		c.change(files)
		dir := write(t, files)
		f, err := Open(filepath.Join(dir, c.open))
		if f != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, want %q and a path", c.name, err, c.want)
		}
	}
}

// readAll touches every byte.
func readAll(data []byte) error {
	sum := 0
	for _, b := range data {
		sum += int(b)
	}
	if sum != 0 {
		return errors.New("the zeros in the file changed")
	}
	return nil
}

func TestGuard(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("files are not mapped on " + runtime.GOOS)
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	const n = 1 << 20
	if err := os.WriteFile(path, ggufbuild.File(nil, [][]byte{tensor("t", 24, 0, n)}, make([]byte, n)), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := f.Tensors[0].Data
	sentinel := errors.New("sentinel")
	if err := f.Guard(func() error { return errors.Join(readAll(data), sentinel) }); !errors.Is(err, sentinel) {
		t.Errorf("Guard returns %v, want what the function returns", err)
	}
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "changed while it was in use") {
			t.Errorf("the truncated file gives %v", err)
		}
	}
	check(f.Guard(func() error { return readAll(data) }))
	// A worker as Guard's comment tells it to be.
	check(f.Guard(func() error {
		fault, done := make(chan any, 1), make(chan error, 1)
		go func() {
			debug.SetPanicOnFault(true)
			defer func() { fault <- recover() }()
			done <- readAll(data)
		}()
		if v := <-fault; v != nil {
			panic(v)
		}
		return <-done
	}))
	defer func() {
		if v := recover(); v != "mine" {
			t.Errorf("Guard lets out the panic %v, want the function's own", v)
		}
	}()
	f.Guard(func() error { panic("mine") })
}

// TestCopyPath: the bytes are those that were opened, or an error says that they
// are not.
func TestCopyPath(t *testing.T) {
	original := testdata.Read(t, "archs/gpt2.gguf")
	path := filepath.Join(t.TempDir(), "model.gguf")
	write := func(path string) {
		if err := os.WriteFile(path, original, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(path)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	if err := f.CopyPath(&b, 0); err != nil || !bytes.Equal(b.Bytes(), original) {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
	write(path + ".new")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if err := f.CopyPath(&b, 0); err == nil || !strings.Contains(err.Error(), "changed while it was in use") {
		t.Errorf("another file of that name: %v", err)
	}
}
