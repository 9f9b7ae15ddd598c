package asm

import "math"

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
	high := func(word uint32) float32 { return math.Float32frombits(word &^ 0xffff) }
	half := len(a) / 2
	for p := range 2 {
		for r := range PanelRows {
			for n := range PanelRows {
				var sum float32
				for k := range half / PanelRows {
					v, x := math.Float32bits(w[r*stride+k]), a[p*half+k*PanelRows+n]
					sum += high(v) * high(x) // exact, and so is what follows but for the sums
					sum += high(v<<16) * high(x<<16)
				}
				c[p*len(Tile{})+r*PanelRows+n] = sum
			}
		}
	}
}
