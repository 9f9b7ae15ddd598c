package asm

import (
	"encoding/binary"
	"math"
)

// RoundBF16 rounds numbers to BF16: to nearest, ties to even. What is below the smallest
// normal number may become zero.
func RoundBF16(dst []uint16, x []float32) { roundBF16(dst[:len(x)], x) }

// roundBF16Generic is the definition of RoundBF16.
func roundBF16Generic(dst []uint16, x []float32) {
	for i, v := range x {
		b := math.Float32bits(v)
		if v != v {
			dst[i] = uint16(b>>16) | 0x40
			continue
		}
		dst[i] = uint16((b + 0x7fff + b>>16&1) >> 16)
	}
}

// GemvBF16 multiplies len(dst) rows of weights in BF16, stride bytes apart, with x in BF16,
// two numbers a word: word i of both gives the products of both numbers, the second one first, to
// sum i%32, each rounded to float32. The sums are added in halves: 16 to 16, then 8 to 8,
// down to one. Numbers below the smallest normal one count as zero.
func GemvBF16(dst []float32, w []byte, stride int, x []uint32) {
	if len(dst) > 0 && len(x) > 0 {
		gemvBF16(dst, w, stride, x)
		return
	}
	clear(dst)
}

// gemvBF16Generic is the definition of GemvBF16.
func gemvBF16Generic(dst []float32, w []byte, stride int, x []uint32) {
	for r := range dst {
		row := w[r*stride:]
		var sums [32]float32
		for i, v := range x {
			word := binary.LittleEndian.Uint32(row[4*i:])
			sums[i%32] += highHalf(word) * highHalf(v) // exact, and so is what follows but for the sums
			sums[i%32] += highHalf(word<<16) * highHalf(v<<16)
		}
		for n := 16; n > 0; n /= 2 {
			for i := range n {
				sums[i] += sums[i+n]
			}
		}
		dst[r] = sums[0]
	}
}

// highHalf returns the number in the upper half of a word.
func highHalf(word uint32) float32 { return math.Float32frombits(word &^ 0xffff) }

// GemmBF16 multiplies 16 rows of weights in BF16 with two panels of activations in BF16,
// one after the other in a: row r is the stride words from w[r*stride], a word being two
// numbers side by side, and word k of the n-th row of a panel is at k*16+n of it. c[r*16+n] is the sum over k
// of the products of both numbers of a word, the second one first, each sum rounded to float32; the
// second panel's are 256 behind. Numbers below the smallest normal one count as zero.
func GemmBF16(c *[2 * len(Tile{})]float32, w []float32, stride int, a []uint32) {
	if len(a) == 0 {
		*c = [2 * len(Tile{})]float32{}
		return
	}
	gemmBF16(c, w, stride, a)
}

// gemmBF16Generic is the definition of GemmBF16.
func gemmBF16Generic(c *[2 * len(Tile{})]float32, w []float32, stride int, a []uint32) {
	half := len(a) / 2
	for p := range 2 {
		for r := range PanelRows {
			for n := range PanelRows {
				var sum float32
				for k := range half / PanelRows {
					v, x := math.Float32bits(w[r*stride+k]), a[p*half+k*PanelRows+n]
					sum += highHalf(v) * highHalf(x) // as above
					sum += highHalf(v<<16) * highHalf(x<<16)
				}
				c[p*len(Tile{})+r*PanelRows+n] = sum
			}
		}
	}
}
