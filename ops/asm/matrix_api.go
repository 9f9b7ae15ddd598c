package asm

// The exported names pick the kernel for the active tier. Their definitions
// are the functions of the same name that end in Generic; lengths are trusted.

// TileFlip is what the words of [Tile.Q] are exclusive-or'ed with in the
// active tier: 0x80808080 where the instruction multiplies unsigned bytes.
func TileFlip() uint32 { return tileFlip() }

// Quantize writes the codes, scales and code sums of x to a. The length of x
// is a multiple of 32. A group with a NaN or an infinity gets a scale that is
// one; groups below 1e-30 in magnitude are zeros.
func Quantize(a Int8, x []float32) { quantize(a, x) }

// Transpose lays up to 16 rows side by side:
//
//	dst[c*16+r] = src[r*stride+c] ^ flip    for c < cols, r < 16; src is 0 for r >= rows
func Transpose(dst, src []uint32, stride, rows, cols int, flip uint32) {
	transpose(dst, src, stride, rows, cols, flip)
}

// Gemv multiplies 16 rows of weights, stride bytes apart, with one activation
// row. For each row of weights, group by group in order and rounding once for
// each of the two sums,
//
//	acc = acc + float(sum of code*q) * (scale*a.Scale)
//	acc = acc + low * (a.Scale*a.Sum)                     if the format has a low
//
// The sum of code*q is exact.
func Gemv(f Format, dst *[PanelRows]float32, w []byte, stride int, a Int8) {
	gemv(f, dst, w, stride, a)
}

// Unpack unpacks so many blocks of up to 16 rows of weights, stride bytes
// apart. The other rows of the panel keep what they hold.
func Unpack(f Format, p Panel, rows, blocks int, w []byte, stride int) {
	unpack(f, p, rows, blocks, w, stride)
}

// Gemm multiplies the rows of a panel with the rows of a tile, so many blocks
// of each: c[r*16+n] is for row r of weights and row n of activations what
// [Gemv] computes, to the last bit.
func Gemm(f Format, c *[PanelRows * TileRows]float32, p Panel, t Tile, blocks int) {
	gemm(f, c, p, t, blocks)
}

// Finish writes the products of a panel and a tile to their place:
//
//	dst[n*stride+r] = c[r*16+n] (+ dst[n*stride+r] if add) (+ bias[r]) (- shift[n])
//
// for r < rows, n < lanes, summed in this order; bias and shift may be nil.
func Finish(dst []float32, stride int, c *[PanelRows * TileRows]float32, rows, lanes int, bias, shift []float32, add bool) {
	finish(dst, stride, c, rows, lanes, bias, shift, add)
}

// AddColumns adds the first rows of a panel to sum, which has an element for
// each column: the float32 value of each weight, in float64, row by row.
func AddColumns(f Format, sum []float64, p Panel, rows int) { addColumns(f, sum, p, rows) }

// Widen converts numbers to float32.
func Widen(f Float, dst []float32, w []byte) { widen(f, dst, w) }

// GemvFloat multiplies 16 rows of weights, stride bytes apart, with x:
// dst[r] is the sum of w[r,i]*x[i], in several partial sums.
func GemvFloat(f Float, dst *[PanelRows]float32, w []byte, stride int, x []float32) {
	gemvFloat(f, dst, w, stride, x)
}

// GemmFloat multiplies 16 rows of weights, stride elements apart, with 16 rows
// of activations that lie side by side: c[r*16+n] is the sum of
// w[r*stride+k]*a[k*16+n], in order of k.
func GemmFloat(c *[PanelRows * TileRows]float32, w []float32, stride int, a []float32) {
	gemmFloat(c, w, stride, a)
}

// AddFloats adds x to sum.
func AddFloats(sum []float64, x []float32) { addFloats(sum, x) }
