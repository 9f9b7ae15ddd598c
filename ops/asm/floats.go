package asm

import (
	"encoding/binary"
	"math"
)

// A Float is a format of stored weights without blocks.
type Float uint8

const (
	F32 Float = iota
	F16
	BF16
)

// Bytes returns the size of a number.
func (f Float) Bytes() int {
	if f == F32 {
		return 4
	}
	return 2
}

// at returns number i.
func (f Float) at(w []byte, i int) float32 {
	switch f {
	case F32:
		return math.Float32frombits(binary.LittleEndian.Uint32(w[4*i:]))
	case F16:
		return half(w[2*i:])
	}
	return math.Float32frombits(uint32(binary.LittleEndian.Uint16(w[2*i:])) << 16)
}

// widenGeneric is the definition of Widen.
func widenGeneric(f Float, dst []float32, w []byte) {
	for i := range dst {
		dst[i] = f.at(w, i)
	}
}

// gemvFloatGeneric is the definition of GemvFloat, up to the order of the
// sums: kernels have partial sums of their own number.
func gemvFloatGeneric(f Float, dst []float32, w []byte, stride int, x []float32) {
	for r := range dst {
		row := w[r*stride:]
		var s [4]float32
		for i, v := range x {
			s[i%4] += v * f.at(row, i)
		}
		dst[r] = (s[0] + s[1]) + (s[2] + s[3])
	}
}

// gemmFloatGeneric is the definition of GemmFloat, up to the rounding of the
// products.
func gemmFloatGeneric(c *[PanelRows * TileRows]float32, w []float32, stride int, a []float32) {
	*c = [PanelRows * TileRows]float32{}
	for k := range len(a) / TileRows {
		x := (*[TileRows]float32)(a[k*TileRows:])
		for r := range PanelRows {
			v := w[r*stride+k]
			acc := (*[TileRows]float32)(c[r*TileRows:])
			for n := range acc {
				acc[n] += v * x[n]
			}
		}
	}
}

// addFloatsGeneric is the definition of AddFloats.
func addFloatsGeneric(sum []float64, x []float32) {
	for i, v := range x {
		sum[i] += float64(v)
	}
}
