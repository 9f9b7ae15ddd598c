package gguf

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/ggufbuild"
)

var (
	pair   = ggufbuild.Pair
	tensor = ggufbuild.Tensor
	header = ggufbuild.Header
)

// A hostile file must give an error that says all of want, or load if want is
// empty.
type hostile struct {
	name string
	file []byte
	want string
}

// hostileFiles are files that SECURITY.md speaks of, as far as they are about the
// container.
// The fuzz target starts from it.
func hostileFiles() (list []hostile) {
	add := func(name, want string, parts ...any) {
		list = append(list, hostile{name, ggufbuild.Bytes(parts...), want})
	}
	u64 := func(x uint64) uint64 { return x }

	// Header.
	whole := header(3, 0, 0)
	for _, n := range []int{0, 1, 3, 4, 7, 8, 15, 23} {
		add("cut header", "file ends within", whole[:n])
	}
	for _, magic := range []string{"gguf", "GGML", "GGJT", "\x7fELF", "FUGG"} {
		add("magic "+magic, "not a GGUF file", []byte(magic), whole[4:])
	}
	for _, v := range []uint32{0, 1, 4, math.MaxUint32} {
		add("version", "unknown version", header(v, 0, 0))
	}
	add("big-endian", "big-endian", header(3<<24, 0, 0))
	add("version 2", "", header(2, 0, 0))
	add("no pairs, no tensors", "", whole)
	for _, n := range []uint64{math.MaxUint64, 1 << 63, 1 << 62, 1e9, 6} {
		add("pairs", "more key-value pairs than the file has room for", header(3, 0, n), make([]byte, 76))
		add("tensors", "more tensors than the file has room for", header(3, n, 0), make([]byte, 76))
	}
	add("zeros", "length of a key", header(3, 0, 5), make([]byte, 76))

	// Key-value pairs.
	one := func(name, want string, p []byte) { add(name, want, ggufbuild.File([][]byte{p}, nil, nil)) }
	add("empty key", "length of a key is not 1", header(3, 0, 1), "", uint32(4), uint32(1))
	add("long key", "length of a key is not 1", header(3, 0, 1), strings.Repeat("k", 1<<16), uint32(4), uint32(1))
	one("longest key", "", pair(strings.Repeat("k", 1<<16-1), 4, uint32(1)))
	for _, n := range []uint64{1 << 63, math.MaxUint64} {
		add("key length", "length of a key is not 1", header(3, 0, 1), u64(n), make([]byte, 32))
	}
	add("key beyond the end", "file ends within a key", header(3, 0, 1), u64(999), make([]byte, 32))
	add("duplicate key", `duplicate key "a"`, header(3, 0, 2), pair("a", 4, uint32(1)), pair("a", 4, uint32(1)))
	one("kind 13", `key "a": unknown kind of value: 13`, pair("a", 13, make([]byte, 16)))
	one("kind 255", `key "a": unknown kind of value: 255`, pair("a", 255, make([]byte, 16)))
	one("bool 2", "bool is not 0 or 1", pair("a", 7, uint8(2)))
	one("bools", "bool is not 0 or 1", pair("a", 9, uint32(7), u64(3), []byte{0, 1, 3}))
	for _, n := range []uint64{1 << 63, math.MaxUint64, math.MaxUint64 - 7, 999} {
		add("string length", `key "a": file ends within`, header(3, 0, 1), pair("a", 8, n), make([]byte, 32))
		add("string in array", `key "a": file ends within`, header(3, 0, 1), pair("a", 9, uint32(8), u64(2), "ok", n), make([]byte, 32))
	}
	one("array of arrays", "array of arrays", pair("a", 9, uint32(9), u64(1), uint32(4), u64(1), uint32(1)))
	one("array of kind 13", "unknown kind of value: 13", pair("a", 9, uint32(13), u64(1), make([]byte, 16)))
	for kind := range uint32(13) {
		if kind == kindArray {
			continue
		}
		for _, n := range []uint64{math.MaxUint64, 1 << 63, 1 << 62, 1 << 61, 1<<61 + 1, 1e9, 999} {
			one("array count", `key "a": `, pair("a", 9, kind, n, make([]byte, 64)))
		}
		one("empty array", "", pair("a", 9, kind, u64(0)))
	}

	// Alignment.
	for _, a := range []uint32{0, 3, 13, 1 << 31, math.MaxUint32} {
		one("alignment", "want a power of two", pair(keyAlignment, 4, a))
	}
	one("alignment of uint64", "want a uint32", pair(keyAlignment, 10, u64(32)))
	one("alignment of int32", "want a uint32", pair(keyAlignment, 5, int32(32)))
	one("alignment of string", "want a uint32", pair(keyAlignment, 8, "32"))
	add("alignment 1", "", header(3, 1, 1), pair(keyAlignment, 4, uint32(1)), tensor("t", 0, 0, 1), float32(1))
	add("alignment 1, odd offset", "", header(3, 1, 1), pair(keyAlignment, 4, uint32(1)), tensor("t", 24, 3, 1), make([]byte, 4))

	// Tensors.
	data := make([]byte, 256)
	tensors := func(name, want string, ts ...[]byte) { add(name, want, ggufbuild.File(nil, ts, data)) }
	tensors("F32", "", tensor("t", 0, 0, 64))
	tensors("empty name", "length of the name", tensor("", 0, 0, 1))
	tensors("longest name", "", tensor(strings.Repeat("n", 64), 0, 0, 1))
	tensors("long name", "length of the name", tensor(strings.Repeat("n", 65), 0, 0, 1))
	add("name length", "length of the name", header(3, 1, 0), u64(math.MaxUint64), make([]byte, 64))
	tensors("duplicate", `duplicate tensor "t"`, tensor("t", 0, 0, 1), tensor("t", 0, 32, 1))
	tensors("no dimensions", "number of dimensions", tensor("t", 0, 0), make([]byte, 32))
	tensors("5 dimensions", "number of dimensions", tensor("t", 0, 0, 1, 1, 1, 1, 1))
	tensors("4 dimensions", "", tensor("t", 0, 0, 2, 2, 2, 2))
	add("2^32-1 dimensions", "number of dimensions", header(3, 1, 0), "t", uint32(math.MaxUint32), make([]byte, 64))
	tensors("negative extent", "overflows", tensor("t", 0, 0, math.MaxUint64))
	tensors("extent", "overflows", tensor("t", 0, 0, 1<<63))
	tensors("product", "overflows", tensor("t", 0, 0, 1<<32, 1<<32))
	tensors("product to 0", "overflows", tensor("t", 0, 0, 1<<32, 1<<32, 1<<32, 1<<32))
	tensors("product beside 0", "overflows", tensor("t", 0, 0, 0, 1<<32, 1<<32))
	tensors("bytes", "overflows", tensor("t", 0, 0, 1<<62))
	tensors("bytes of rows", "overflows", tensor("t", 0, 0, 1<<31, 1<<31))
	tensors("part of a block", "not whole blocks", tensor("t", 2, 0, 33))
	tensors("rows of half a block", "not whole blocks", tensor("t", 2, 0, 16, 2))
	tensors("offset not aligned", "not a multiple of 32", tensor("t", 0, 4, 1))
	tensors("offset beyond", "beyond the end", tensor("t", 0, 256, 1))
	tensors("offset far beyond", "beyond the end", tensor("t", 0, 1<<40, 1))
	tensors("offset overflows", "beyond the end", tensor("t", 0, math.MaxUint64-31, 1))
	tensors("offset negative", "beyond the end", tensor("t", 0, 1<<63, 1))
	tensors("one value short", "beyond the end", tensor("t", 0, 0, 65))
	add("one byte short", "beyond the end", ggufbuild.File(nil, [][]byte{tensor("t", 24, 0, 257)}, data))
	tensors("overlap", `tensor "b": data overlap those of "a"`, tensor("b", 0, 32, 1), tensor("a", 0, 0, 9))
	tensors("same offset", "overlap", tensor("a", 0, 0, 1), tensor("b", 0, 0, 1))
	tensors("touching", "", tensor("b", 0, 32, 1), tensor("a", 0, 0, 8))
	tensors("gap", "", tensor("a", 0, 0, 1), tensor("b", 0, 192, 1))
	tensors("no items", "", tensor("a", 0, 0, 0, 5), tensor("b", 0, 0, 1), tensor("c", 2, 32, 32, 0))
	tensors("unknown type", "", tensor("t", 99, 0, 3), tensor("u", 0, 32, 1))
	tensors("removed type", "", tensor("t", 4, 0, 32))
	tensors("unknown type beyond", "beyond the end", tensor("t", 99, 1<<30, 3))
	add("no data", "beyond the end", header(3, 1, 0), tensor("t", 0, 0, 1))
	return list
}

func TestHostileFiles(t *testing.T) {
	files := hostileFiles()
	t.Logf("%d files", len(files))
	for _, h := range files {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := Parse(h.file)
		runtime.ReadMemStats(&after)
		switch {
		case h.want == "" && err != nil:
			t.Errorf("%s: %v", h.name, err)
		case h.want != "" && (err == nil || !strings.Contains(err.Error(), h.want)):
			t.Errorf("%s: error is %v, want %q", h.name, err, h.want)
		case err != nil && (f != nil || len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\n\x00")):
			t.Errorf("%s: the error is not one short line: %v", h.name, err)
		}
		var where *FormatError
		if err != nil && (!errors.As(err, &where) || where.Off < 0 || where.Off > int64(len(h.file)) || !strings.Contains(err.Error(), "at byte")) {
			t.Errorf("%s: the error does not say where in %d bytes: %v", h.name, len(h.file), err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(16<<10+8*len(h.file)) {
			t.Errorf("%s: %d bytes were allocated for a file of %d", h.name, used, len(h.file))
		}
	}
}

// everyKind is a valid file with every kind of value, alone and in an array,
// and tensors of several types.
func everyKind() []byte {
	values := map[uint32][]any{
		kindUint8: {uint8(1), uint8(2)}, kindInt8: {int8(-1), int8(2)},
		kindUint16: {uint16(1), uint16(2)}, kindInt16: {int16(-1), int16(2)},
		kindUint32: {uint32(1), uint32(2)}, kindInt32: {int32(-1), int32(2)},
		kindUint64: {uint64(1), uint64(2)}, kindInt64: {int64(-1), int64(2)},
		kindFloat32: {float32(1), float32(-2)}, kindFloat64: {1.0, -2.0},
		kindBool: {true, false}, kindString: {"one", "zwei"},
	}
	var pairs [][]byte
	for kind := range uint32(13) {
		if v, ok := values[kind]; ok {
			pairs = append(pairs,
				pair(string(rune('a'+kind)), kind, v[0]),
				pair(string(rune('A'+kind)), kindArray, kind, uint64(2), ggufbuild.Bytes(v...)))
		}
	}
	return ggufbuild.File(pairs, [][]byte{
		tensor("f32", 0, 0, 3), tensor("q4_0", 2, 32, 32, 2), tensor("strange", 99, 96, 7), tensor("i8", 24, 128, 32),
	}, bytes.Repeat([]byte{0x3c}, 160))
}

func TestCutAtEveryByte(t *testing.T) {
	whole := everyKind()
	if _, err := Parse(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := Parse(whole[:n:n]); err == nil {
			t.Errorf("the first %d of %d bytes are a file", n, len(whole))
		}
	}
	t.Logf("%d cuts", len(whole))
}

// TestChangeEveryByte: whatever a byte is changed to, nothing panics, and what
// loads lies within the file.
func TestChangeEveryByte(t *testing.T) {
	whole := everyKind()
	for i, old := range whole {
		for _, b := range []byte{0, 1, 2, 9, 0x7f, 0x80, 0xff, old + 1} {
			whole[i] = b
			if f, err := Parse(whole); err == nil {
				use(t, f, whole)
			}
		}
		whole[i] = old
	}
	t.Logf("%d changes", 8*len(whole))
}

// use reads everything that f offers.
func use(t *testing.T, f *File, data []byte) {
	t.Helper()
	for _, kv := range f.Meta.All() {
		if v, ok := f.Meta.Lookup(kv.Key); !ok || v == nil {
			t.Fatalf("key %q is not found", kv.Key)
		}
	}
	for i := range f.Tensors {
		want := &f.Tensors[i]
		if got, ok := f.Tensor(want.Name); !ok || got != want {
			t.Fatalf("tensor %q is not found", want.Name)
		}
		x, err := want.Float32s()
		if (err == nil) != (want.Err() == nil) {
			t.Fatalf("tensor %q: Float32s: %v, Err: %v", want.Name, err, want.Err())
		}
		if err != nil {
			if want.Data != nil {
				t.Fatalf("tensor %q has data of an unknown type", want.Name)
			}
			continue
		}
		end := want.Offset + int64(len(want.Data))
		if len(x) != want.Items() || end > int64(len(data)) || !bytes.Equal(data[want.Offset:end], want.Data) {
			t.Fatalf("tensor %q: %d values in %d bytes at %d of %d", want.Name, len(x), len(want.Data), want.Offset, len(data))
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, h := range hostileFiles() {
		if len(h.file) < 4096 {
			f.Add(h.file)
		}
	}
	f.Add(everyKind())
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		use(t, file, data)
		for i := range file.Tensors {
			if file.Tensors[i].Err() != nil {
				return
			}
		}
		// What loads can be written, and what is written loads to the same.
		var first, second bytes.Buffer
		if err := Write(&first, file); err != nil {
			t.Fatal(err)
		}
		again, err := Parse(first.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(&second, again); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("what was written is written differently: %v", err)
		}
	})
}

// TestMemory: the smallest things that a file can hold take the most memory
// for their bytes.
func TestMemory(t *testing.T) {
	const n = 1 << 14
	var pairs, tensors []byte
	for i := range uint32(n) {
		name := string([]byte{byte(i), byte(i >> 8)})
		pairs = append(pairs, pair(name, 0, uint8(1))...)
		tensors = append(tensors, tensor(name, 0, 0, 0)...)
	}
	for name, file := range map[string][]byte{
		"pairs":   ggufbuild.Bytes(header(3, 0, n), pairs),
		"tensors": ggufbuild.Bytes(header(3, n, 0), tensors, make([]byte, 32)),
		"strings": ggufbuild.Bytes(header(3, 0, 1), pair("a", 9, uint32(8), uint64(n), make([]byte, 8*n))),
		"bools":   ggufbuild.Bytes(header(3, 0, 1), pair("a", 9, uint32(7), uint64(n), make([]byte, n))),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Parse(file); err != nil {
			t.Error(err)
		}
		runtime.ReadMemStats(&after)
		ratio := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(file))
		t.Logf("%s: %.1f bytes are allocated for a byte of the file", name, ratio)
		if ratio > 24 {
			t.Errorf("%s: %.1f bytes are allocated for a byte of the file", name, ratio)
		}
	}
}
