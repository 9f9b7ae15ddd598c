package quant

import (
	"encoding/binary"
	"sync"
)

// A Codebook is a set of points, each of some neighbouring quants, of which a
// block names some by their numbers, and says what the bits of a block mean:
//
//	x[i] = D * Step * (2*n + 1) * q[i]    n: the number of the group's scale
//
// Signs is a byte for every eight quants. A bit that is set negates its quant;
// with Shift, the points are of multiples of eight, and all eight quants are
// one more if the byte is 0, one less if it is 255.
type Codebook struct {
	Width  int           // quants of a point: 8 or 4
	Points func() []int8 // the quants of all points
	Step   float32       // a power of two
	Shift  bool          // Signs is of a shift

	d     func(b []byte) float32
	index func(b []byte, i int) int  // the number of point i
	signs func(b []byte, i int) byte // of the quants from 8*i on
	scale func(b []byte, g int) byte // of group g
}

// unpack takes a block apart, as [Layout.Unpack].
func (c *Codebook) unpack(q []int8, scale []float32, block []byte) {
	points, d := c.Points(), c.d(block)
	for i := range len(q) / c.Width {
		copy(q[i*c.Width:][:c.Width], points[c.index(block, i)*c.Width:])
	}
	for i := range q {
		switch negative := c.signs(block, i/8)>>(i%8)&1 != 0; {
		case c.Shift && negative:
			q[i] = 8*q[i] - 1
		case c.Shift:
			q[i] = 8*q[i] + 1
		case negative:
			q[i] = -q[i]
		}
	}
	for g := range scale {
		scale[g] = d * c.Step * float32(2*int(c.scale(block, g))+1)
	}
}

// firstHalf is a block's scale where it is the first number.
func firstHalf(b []byte) float32 { return half(b[:2]) }

// nibble returns the i-th four bits of b, low ones first.
func nibble(b []byte, i int) byte { return b[i/2] >> (i % 2 * 4) & 15 }

// word returns the i-th word of b.
func word(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }

// half16 returns the i-th 16 bits of b.
func half16(b []byte, i int) uint16 { return binary.LittleEndian.Uint16(b[2*i:]) }

// flat returns the coordinates of a grid's points one after the other, made once.
func flat[P [4]int8 | [8]int8](grid func() []P) func() []int8 {
	return sync.OnceValue(func() []int8 {
		points := grid()
		all := make([]int8, 0, len(points)*len(points[0]))
		for _, p := range points {
			for i := range len(p) {
				all = append(all, p[i])
			}
		}
		return all
	})
}

// The layouts of the types of iq1.go, iq2.go and iq3.go, whose comments say what
// lies where.
var (
	layoutIQ1_S = Layout{Group: 32, D: f16(0), Quants: Ints{Low: Field{Bits: 5}, Zero: 16}, Codebook: &Codebook{
		Width: 8, Points: flat(gridIQ1), Step: 0.125, Shift: true, d: firstHalf,
		index: func(b []byte, i int) int { return int(b[2+i]) | int(half16(b[34:], i/4)>>(i%4*3)&7)<<8 },
		signs: func(b []byte, i int) byte { return byte(int8(b[35+i/4*2]) >> 7) },
		scale: func(b []byte, g int) byte { return b[35+2*g] >> 4 & 7 },
	}}
	layoutIQ1_M = Layout{Group: 16, Quants: Ints{Low: Field{Bits: 6}, Zero: 32}, Codebook: &Codebook{
		Width: 8, Points: flat(gridIQ1), Step: 0.125, Shift: true,
		d: func(b []byte) float32 {
			return half([]byte{b[49]>>4 | b[51]&0xf0, b[53]>>4 | b[55]&0xf0})
		},
		index: func(b []byte, i int) int { return int(b[i]) | int(nibble(b[32:], i)&7)<<8 },
		signs: func(b []byte, i int) byte { return -(nibble(b[32:], i) >> 3) },
		scale: func(b []byte, g int) byte { return byte(half16(b[48:], g/4) >> (g % 4 * 3) & 7) },
	}}
	layoutIQ2_XXS = Layout{Group: 32, D: f16(0), Quants: sevenBits, Codebook: &Codebook{
		Width: 8, Points: flat(gridIQ2_XXS), Step: 0.125, d: firstHalf,
		index: func(b []byte, i int) int { return int(b[2+i/4*8+i%4]) },
		signs: func(b []byte, i int) byte { return sevenSigns(word(b[6+i/4*8:], 0) >> (i % 4 * 7)) },
		scale: func(b []byte, g int) byte { return b[9+8*g] >> 4 },
	}}
	layoutIQ2_XS = Layout{Group: 16, D: f16(0), Quants: sevenBits, Codebook: &Codebook{
		Width: 8, Points: flat(gridIQ2_XS), Step: 0.125, d: firstHalf,
		index: func(b []byte, i int) int { return int(half16(b[2:], i) & 511) },
		signs: func(b []byte, i int) byte { return sevenSigns(uint32(half16(b[2:], i) >> 9)) },
		scale: func(b []byte, g int) byte { return nibble(b[66:], g) },
	}}
	layoutIQ2_S = Layout{Group: 16, D: f16(0), Quants: sevenBits, Codebook: &Codebook{
		Width: 8, Points: flat(gridIQ2_S), Step: 0.125, d: firstHalf,
		index: func(b []byte, i int) int { return int(b[2+i]) | int(b[66+i/4]>>(i%4*2)&3)<<8 },
		signs: func(b []byte, i int) byte { return b[34+i] },
		scale: func(b []byte, g int) byte { return nibble(b[74:], g) },
	}}
	layoutIQ3_XXS = Layout{Group: 32, D: f16(0), Quants: sevenBits, Codebook: &Codebook{
		Width: 4, Points: flat(gridIQ3_XXS), Step: 0.25, d: firstHalf,
		index: func(b []byte, i int) int { return int(b[2+i]) },
		signs: func(b []byte, i int) byte { return sevenSigns(word(b[66:], i/4) >> (i % 4 * 7)) },
		scale: func(b []byte, g int) byte { return b[69+4*g] >> 4 },
	}}
	layoutIQ3_S = Layout{Group: 32, D: f16(0), Quants: Ints{Low: Field{Bits: 5}, Zero: 16}, Codebook: &Codebook{
		Width: 4, Points: flat(gridIQ3_S), Step: 1, d: firstHalf,
		index: func(b []byte, i int) int { return int(b[2+i]) | int(b[66+i/8]>>(i%8)&1)<<8 },
		signs: func(b []byte, i int) byte { return b[74+i] },
		scale: func(b []byte, g int) byte { return nibble(b[106:], g) },
	}}
)

// sevenBits are quants of up to 62 in magnitude.
var sevenBits = Ints{Low: Field{Bits: 7}, Zero: 64}
