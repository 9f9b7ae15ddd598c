package asm

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestBF16: kernels give what the definitions do, to the bit.
func TestBF16(t *testing.T) {
	if !HasBF16() {
		t.Skip("no AVX512_BF16 on this machine")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, cols := range []int{2, 6, 32, 384, 1000} {
		const pad = 3
		x := make([]float32, 32*cols)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		x[0] = float32(math.Inf(1)) // a row that is not finite disturbs no other
		got, want := make([]uint16, len(x)), make([]uint16, len(x))
		RoundBF16(got, x)
		roundBF16Generic(want, x)
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%v rounds to %x, want %x", x[i], got[i], want[i])
			}
		}
		stride := cols/2 + pad
		w := make([]float32, 16*stride)
		for i := range w {
			w[i] = math.Float32frombits(uint32(got[(7*i+5)%len(got)])<<16 | uint32(got[(3*i+1)%len(got)]))
			if v := math.Float32bits(w[i]); v>>16&0x7f80 == 0x7f80 || v&0x7f80 == 0x7f80 {
				w[i] = 1
			}
		}
		a := make([]uint32, 32*cols/2)
		for i := range a {
			row, k := i%16+i/(8*cols)*16, i%(8*cols)/16
			a[i] = uint32(got[row*cols+2*k]) | uint32(got[row*cols+2*k+1])<<16
		}
		few, many := make([]float32, 16), make([]float32, 16)
		rows := unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), 4*len(w))[:4*(15*stride+cols/2)]
		row := unsafe.Slice((*uint32)(unsafe.Pointer(&got[cols])), cols/2)
		GemvBF16(few, rows, 4*stride, row)
		gemvBF16Generic(many, rows, 4*stride, row)
		for i := range few {
			if math.Float32bits(few[i]) != math.Float32bits(many[i]) {
				t.Fatalf("%d columns, row %d: %v, want %v", cols, i, few[i], many[i])
			}
		}
		var c, d [2 * len(Tile{})]float32
		GemmBF16(&c, w, stride, a)
		gemmBF16Generic(&d, w, stride, a)
		for i := range c {
			if math.Float32bits(c[i]) != math.Float32bits(d[i]) && (c[i] == c[i] || d[i] == d[i]) {
				t.Fatalf("%d columns, output %d: %v, want %v", cols, i, c[i], d[i])
			}
		}
	}
}
