package quant

import (
	"encoding/binary"
	"math"

	"github.com/x448/float16"
)

// half reads a half-precision number, the scale of most blocks.
func half(b []byte) float32 {
	return float16.Frombits(binary.LittleEndian.Uint16(b)).Float32()
}

// putHalf writes x, rounded to half precision, and returns what was written.
func putHalf(b []byte, x float32) float32 {
	h := float16.Fromfloat32(x)
	binary.LittleEndian.PutUint16(b, h.Bits())
	return h.Float32()
}

// F32: x[i] as IEEE 754 binary32.

func decodeF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func encodeF32(dst []byte, src []float32) {
	for i, x := range src {
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(x))
	}
}

// F16: x[i] as IEEE 754 binary16.

// decodeF16 equals float16.Float32 on each value. The exponent and mantissa of
// a half, moved to those of a float32, are the number times 2^-112, also when
// it is subnormal; only infinities and NaNs need more.
func decodeF16(dst []float32, src []byte) {
	for i := range dst {
		h := binary.LittleEndian.Uint16(src[2*i:])
		if h&0x7c00 == 0x7c00 {
			dst[i] = float16.Frombits(h).Float32()
			continue
		}
		dst[i] = math.Float32frombits(uint32(h&0x8000)<<16|uint32(h&0x7fff)<<13) * 0x1p112
	}
}

func encodeF16(dst []byte, src []float32) {
	for i, x := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], float16.Fromfloat32(x).Bits())
	}
}

// BF16: x[i] as the upper half of a binary32.

func decodeBF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

// encodeBF16 rounds to nearest, ties to even.
func encodeBF16(dst []byte, src []float32) {
	for i, x := range src {
		u := math.Float32bits(x)
		u += 0x7fff + u>>16&1
		binary.LittleEndian.PutUint16(dst[2*i:], uint16(u>>16))
	}
}

// F64 and the integers are legal in a file, though no weights use them. Their
// values are rounded to float32.

func decodeF64(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
	}
}

func decodeI8(dst []float32, src []byte) {
	for i, b := range src {
		dst[i] = float32(int8(b))
	}
}

func decodeI16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int16(binary.LittleEndian.Uint16(src[2*i:])))
	}
}

func decodeI32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int32(binary.LittleEndian.Uint32(src[4*i:])))
	}
}

func decodeI64(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(int64(binary.LittleEndian.Uint64(src[8*i:])))
	}
}
