package ollama

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/quant"
	ollama "github.com/ollama/ollama/fs/gguf"
)

// folders hold the files that both readers read. Others, such as cases, hold
// files that are broken on purpose.
var folders = []string{"archs", "quantized", "trained", "trained/checkpoints", "vocab"}

// Ollama's reader finds the same metadata and the same tensors in the same
// order, with the same bytes.
func TestGGUF(t *testing.T) {
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) {
			for _, path := range testdata.Files(t, folder, ".gguf") {
				t.Run(filepath.Base(path), func(t *testing.T) { sameFile(t, path) })
			}
		})
	}
}

func sameFile(t *testing.T, path string) {
	t.Helper()
	ours, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := ollama.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()

	if ours.Version != theirs.Version {
		t.Errorf("version %d, want %d", ours.Version, theirs.Version)
	}
	pairs := ours.Meta.All()
	if len(pairs) != theirs.NumKeyValues() {
		t.Fatalf("%d pairs of metadata, want %d", len(pairs), theirs.NumKeyValues())
	}
	for i, want := range theirs.KeyValues() {
		if pairs[i].Key != want.Key {
			t.Fatalf("pair %d is %s, want %s", i, pairs[i].Key, want.Key)
		}
		if !sameValue(pairs[i].Value, want.Value) {
			t.Errorf("%s differs: %.100s", want.Key, fmt.Sprint(pairs[i].Value))
		}
	}

	if len(ours.Tensors) != theirs.NumTensors() {
		t.Fatalf("%d tensors, want %d", len(ours.Tensors), theirs.NumTensors())
	}
	for i, want := range theirs.TensorInfos() {
		sameTensor(t, &ours.Tensors[i], want, theirs)
	}
}

func sameTensor(t *testing.T, got *gguf.Tensor, want ollama.TensorInfo, file *ollama.File) {
	t.Helper()
	if got.Name != want.Name || uint32(got.Type) != uint32(want.Type) {
		t.Errorf("tensor %s of type %d, want %s of type %d", got.Name, got.Type, want.Name, want.Type)
		return
	}
	if !slices.EqualFunc(got.Dims, want.Shape, func(a int, b uint64) bool { return uint64(a) == b }) {
		t.Errorf("tensor %s is %v, want %v", got.Name, got.Dims, want.Shape)
		return
	}
	if got.Type == quant.TQ1_0 || got.Type == quant.TQ2_0 {
		return // Ollama does not know the size of a block of these
	}
	_, r, err := file.TensorReader(want.Name)
	if err != nil {
		t.Errorf("tensor %s: %v", want.Name, err)
		return
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("tensor %s: %v", want.Name, err)
		return
	}
	if !bytes.Equal(got.Data, data) {
		t.Errorf("tensor %s: %d bytes differ from Ollama's %d", got.Name, len(got.Data), len(data))
	}
}

// sameValue reports whether Ollama's value is ours, floats bit for bit.
func sameValue(ours any, theirs ollama.Value) bool {
	equalFloats := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }
	switch v := ours.(type) {
	case string:
		return v == theirs.String()
	case []string:
		return slices.Equal(v, theirs.Strings())
	case bool:
		return v == theirs.Bool()
	case []bool:
		return slices.Equal(v, theirs.Bools())
	}
	r := reflect.ValueOf(ours)
	switch {
	case r.CanInt():
		return r.Int() == theirs.Int()
	case r.CanUint():
		return r.Uint() == theirs.Uint()
	case r.CanFloat():
		return equalFloats(r.Float(), theirs.Float())
	case r.Kind() != reflect.Slice:
		return false
	}
	switch element := reflect.Zero(r.Type().Elem()); {
	case element.CanInt():
		return slices.Equal(each(r, reflect.Value.Int), theirs.Ints())
	case element.CanUint():
		return slices.Equal(each(r, reflect.Value.Uint), theirs.Uints())
	default:
		return slices.EqualFunc(each(r, reflect.Value.Float), theirs.Floats(), equalFloats)
	}
}

func each[T any](slice reflect.Value, convert func(reflect.Value) T) []T {
	out := make([]T, slice.Len())
	for i := range out {
		out[i] = convert(slice.Index(i))
	}
	return out
}
