// Package testdata finds the files that tests read.
package testdata

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Env names the folder with the larger files, which are not in the
// repository. The default is ../shared/data beside the repository.
const Env = "NORMSWAP_DATA"

// Path returns the path of a file, such as "archs/gpt2.gguf", from
// tests/testdata or from the folder that Env names. When neither has it, the
// test is skipped and the message says what was looked for.
func Path(t testing.TB, name string) string {
	t.Helper()
	root := Root()
	here := filepath.Join(root, "tests", "testdata", filepath.FromSlash(name))
	if _, err := os.Stat(here); err == nil {
		return here
	}
	more := Data()
	there := filepath.Join(more, filepath.FromSlash(name))
	if _, err := os.Stat(there); err != nil {
		t.Skipf("no %s in tests/testdata nor in %s (set %s)", name, more, Env)
	}
	return there
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
