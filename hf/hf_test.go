package hf_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/hf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/quant"
)

// folders calls f with each checkpoint: those of the repository and, where
// there is more data, all.
func folders(t *testing.T, f func(t *testing.T, dir, form string)) {
	t.Helper()
	roots := []string{filepath.Join("testdata")}
	if more := filepath.Join(testdata.Data(), "hf"); isDir(more) {
		roots = append(roots, more)
	}
	for _, root := range roots {
		all, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if dir := filepath.Join(root, e.Name()); hf.Is(dir) {
				t.Run(filepath.Base(root)+"/"+e.Name(), func(t *testing.T) { f(t, dir, e.Name()) })
			}
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// refused are the forms that are refused, and by what word.
var refused = map[string]string{
	"opt-350m": "OPT-350m",
}

// readJSON reads a file of a folder; false if there is none.
func readJSON(t *testing.T, path string, v any) bool {
	t.Helper()
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return false
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

// float32s returns a tensor's bytes in F32, as the converter stores it.
func float32s(t *testing.T, x *gguf.Tensor) []byte {
	t.Helper()
	values, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 4*len(values))
	if err := quant.Encode(data, quant.F32, values); err != nil {
		t.Fatal(err)
	}
	return data
}

// The tensors are those of llama.cpp's converter, to the byte.
func TestTensorsAreTheConverters(t *testing.T) {
	folders(t, func(t *testing.T, dir, form string) {
		var want map[string]struct{ Tensors map[string][3]any }
		if refused[form] != "" || !readJSON(t, filepath.Join(dir, "gguf.json"), &want) {
			return
		}
		f, err := hf.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for name, w := range want["f32"].Tensors {
			x, ok := f.Tensor(name)
			if !ok {
				t.Errorf("%s is missing", name)
				continue
			}
			var dims []int
			for _, d := range w[1].([]any) {
				dims = append(dims, int(d.(float64)))
			}
			if !slices.Equal(x.Dims, dims) {
				t.Errorf("%s is %d, want %d", name, x.Dims, dims)
			}
			if got := fmt.Sprintf("%x", sha256.Sum256(float32s(t, x))); got != w[2] {
				t.Errorf("%s differs in its bytes", name)
			}
		}
		for kind, typ := range map[string]quant.Type{"f16": quant.F16, "bf16": quant.BF16} {
			for name, w := range want[kind].Tensors {
				x, ok := f.Tensor(name)
				if !ok {
					t.Errorf("%s is missing", name)
					continue
				}
				as := hf.TypeOf(name, x.Dims, typ)
				values, err := x.Float32s()
				if err != nil {
					t.Fatal(err)
				}
				size, err := as.RowBytes(len(values))
				if err != nil {
					t.Fatal(err)
				}
				data := make([]byte, size)
				if err := quant.Encode(data, as, values); err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprintf("%x", sha256.Sum256(data)); as.String() != w[0] || got != w[2] {
					t.Errorf("%s as %s: %s, want %s; its bytes differ: %v", name, kind, as, w[0], got != w[2])
				}
			}
		}
		for _, x := range f.Tensors {
			if _, ok := want["f32"].Tensors[x.Name]; !ok && x.Name != "cls.weight" && x.Name != "cls.bias" {
				t.Errorf("%s is not the converter's", x.Name)
			}
		}
	})
}

type ids struct {
	A, B           []int32
	RowsA          []int `json:"rows_a"`
	RowsB          []int `json:"rows_b"`
	Ctx            int   `json:"n_ctx"`
	ScoreA, ScoreB *float64
}

// What the engine computes of a folder is what transformers computes of it.
func TestFoldersComputeAsTransformers(t *testing.T) {
	folders(t, func(t *testing.T, dir, form string) {
		f, err := hf.Open(dir)
		if word := refused[form]; word != "" {
			if err == nil {
				t.Fatalf("%s is read, want it refused", form)
			}
			t.Log(err)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name, _ := gguf.Get[string](&f.Meta, arch.KeyArchitecture)
		if _, known := arch.Lookup(name); !known {
			t.Logf("the architecture %s does not run here", name)
			f.Close()
			return
		}
		if form == "falcon-rw" && filepath.Dir(dir) != "testdata" {
			// Eager attention of transformers 5.24, by which these logits were computed, adds
			// ALiBi twice; its default (SDPA), by which ours were, and the published code once.
			const key = "mpt.attention.alibi_scale"
			once, err := gguf.Get[float32](&f.Meta, key)
			if err == nil {
				err = f.Meta.Set(key, 2*once)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		m, err := engine.Load(t.Context(), f, engine.Options{FloatActivations: true, Threads: 2})
		if err != nil {
			f.Close()
			t.Fatal(err)
		}
		defer m.Close()
		if w := m.Warnings(); len(w) > 0 {
			t.Logf("warnings: %q", w)
		}
		var x ids
		values := dir
		var meta struct {
			Values string `json:"values_of"`
		}
		readJSON(t, filepath.Join(dir, "meta.json"), &meta)
		if meta.Values != "" {
			values = filepath.Join(filepath.Dir(dir), meta.Values)
		}
		if !readJSON(t, filepath.Join(dir, "ids.json"), &x) {
			t.Fatal("no ids.json")
		}
		got := compute(t, m, &x)
		file := "logits.f32"
		if m.Arch.Spec.Encoder {
			file = "hidden.f32"
		}
		want := floatFile(t, filepath.Join(values, file))
		if nmse := testdata.NMSE(got, want); !(nmse <= 1e-10) {
			t.Errorf("NMSE %.1e, want at most 1e-10", nmse)
		} else {
			t.Logf("NMSE %.1e", nmse)
		}
	})
}
