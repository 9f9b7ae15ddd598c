// Package testdata finds the files that tests read, and holds results against
// the references among them.
package testdata

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Env names the folder with the larger files, which are not in the
// repository. The default is ../shared/data beside the repository.
const Env = "NORMSWAP_DATA"

// Rungs returns how many rungs of a ladder a test climbs: few, so that go test
// of a clone takes minutes on a machine with other work, and all where
// NORMSWAP_ALL_RUNGS is set, as check sets it.
func Rungs(few, all int) int {
	if os.Getenv("NORMSWAP_ALL_RUNGS") != "" {
		return all
	}
	return few
}

// Path returns the path of a file, such as "archs/gpt2.gguf", from
// tests/testdata or from the folder that Env names. When neither has it, the
// test is skipped and the message says what was looked for.
func Path(t testing.TB, name string) string {
	t.Helper()
	for _, folder := range folders() {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Skipf("no %s in %s (set %s)", name, strings.Join(folders(), " nor in "), Env)
	return ""
}

// folders are those in which Path looks, in this order.
func folders() []string {
	return []string{filepath.Join(Root(), "tests", "testdata"), Data()}
}

// Files returns the paths of the files of a folder, such as "archs", whose
// names end in suffix: those of tests/testdata and of the folder that Env
// names. When there are none, the test is skipped.
func Files(t testing.TB, folder, suffix string) []string {
	t.Helper()
	var paths []string
	for _, f := range folders() {
		found, err := filepath.Glob(filepath.Join(f, filepath.FromSlash(folder), "*"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		t.Skipf("no %s/*%s in %s (set %s)", folder, suffix, strings.Join(folders(), " nor in "), Env)
	}
	return paths
}

// Fixtures returns the names, such as "archs/gpt2.gguf", of the models in a
// folder of tests/testdata, which has some.
func Fixtures(t testing.TB, folder string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(Root(), "tests", "testdata", folder, "*.gguf"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no models in tests/testdata/%s: %v", folder, err)
	}
	for i, n := range names {
		names[i] = folder + "/" + filepath.Base(n)
	}
	return names
}

// Read returns the bytes of the file that Path finds.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Data returns the folder with the larger files, whether it is there or not.
func Data() string {
	if more := os.Getenv(Env); more != "" {
		return more
	}
	return filepath.Join(Root(), "..", "shared", "data")
}

// Root returns the root folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Tokens are those whose logits by llama.cpp lie beside the models: 3, 8, ...,
// 78.
func Tokens() []int32 {
	tokens := make([]int32, 16)
	for i := range tokens {
		tokens[i] = int32(3 + 5*i)
	}
	return tokens
}

// Logits returns llama.cpp's logits of a model, [len(Tokens()) x vocabulary].
func Logits(t testing.TB, model string) []float32 {
	t.Helper()
	return Floats(t, Read(t, strings.TrimSuffix(model, ".gguf")+".logits.f32"))
}

// Floats decodes little-endian float32.
func Floats(t testing.TB, b []byte) []float32 {
	t.Helper()
	if len(b)%4 != 0 {
		t.Fatalf("%d bytes of float32", len(b))
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

// NMSE returns the normalized mean squared error sum (got-want)^2 / sum want^2.
// It is +Inf where the lengths differ, and NaN where a value is.
func NMSE(got, want []float32) float64 {
	if len(got) != len(want) || len(want) == 0 {
		return math.Inf(1)
	}
	var wrong, all float64
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		wrong += d * d
		all += float64(w) * float64(w)
	}
	return wrong / all
}
