// Package toytest makes toy models for tests, which fail where that fails.
package toytest

import (
	"bytes"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/toy"
)

// Bytes returns the file that [toy.Write] writes.
func Bytes(t testing.TB, s toy.Shape, typ string, seed uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := toy.Write(&b, s, typ, seed); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Parse parses a file in memory.
func Parse(t testing.TB, b []byte) *gguf.File {
	t.Helper()
	f, err := gguf.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
