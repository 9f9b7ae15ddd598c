//go:build !purego

package asm

import (
	"slices"
	"testing"
	"unsafe"
)

// The assembly's fields of a Q8x8 are those of the struct.
func TestOffsetsQ8x8(t *testing.T) {
	var a Q8x8
	want := []uintptr{unsafe.Offsetof(a.Q), unsafe.Offsetof(a.Paired), unsafe.Offsetof(a.Transposed), unsafe.Offsetof(a.Interleaved), unsafe.Offsetof(a.Strided),
		unsafe.Offsetof(a.Scale), unsafe.Offsetof(a.ScaledSum), unsafe.Offsetof(a.Sum), unsafe.Offsetof(a.HalfSum),
		unsafe.Offsetof(a.HalfScale), unsafe.Offsetof(a.ScaledHalfSum), unsafe.Sizeof(a)}
	if got := offsetsQ8x8[:]; !slices.Equal(got, want) {
		t.Errorf("the generator takes the fields to be at %v, they are at %v", got, want)
	}
}
