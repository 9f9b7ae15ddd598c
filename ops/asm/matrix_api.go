package asm

// The exported names pick the kernel for the active tier. Their definitions
// are the functions of the same name that end in Generic; lengths are trusted.

// TileFlip is what the words of [Tile.Q] are exclusive-or'ed with in the
// active tier: 0x80808080 where the instruction multiplies unsigned bytes.
func TileFlip() uint32 { return tileFlip() }

// TileHalves tells whether the active tier reads [Tile.Half].
func TileHalves() bool { return tileHalves() }

// CodeBytes is how many bytes of [Panel.Q] a code takes in the active tier.
func CodeBytes(f Format) int { return codeBytes(f) }

// Quantize writes the codes of x to c, as many groups as c has. A group with a
// NaN or an infinity gets the scale NaN; groups below 2^-64 in magnitude are
// zeros.
func Quantize(c Codes, x []float32) { quantize(c, x) }

// Transpose lays up to 16 rows side by side:
//
//	dst[c*16+r] = src[r*stride+c] ^ flip    for c < cols, r < 16; src is 0 for r >= rows
func Transpose(dst, src []uint32, stride, rows, cols int, flip uint32) {
	transpose(dst, src, stride, rows, cols, flip)
}

// Gemv multiplies len(dst) rows of weights of so many groups, stride bytes
// apart, with one activation row. Each product is a sum of eight chains of groups (see
// chainOf32). The next group in a chain is added with one rounding for each of
//
//	chain = chain + float(sum of code*q) * (scale*a.Scale)
//	chain = chain + low * a.Low                               if the format has a low
//
// The sum of code*q is exact. Rows of n < 8 groups are read from 8-n groups
// before their first, whose scales and lows must be finite.
func Gemv(f Format, dst []float32, w []byte, stride, groups int, a []Eight) {
	gemv(f, dst, w, stride, groups, a)
}

// Unpack unpacks so many blocks of 16 rows of weights, stride bytes apart.
func Unpack(f Format, p Panel, blocks int, w []byte, stride int) {
	unpack(f, p, blocks, w, stride)
}

// Gemm multiplies the rows of a panel with the rows of a tile, so many columns
// of each: c[r*16+n] is for row r of weights and row n of activations what
// [Gemv] computes, to the last bit.
func Gemm(f Format, c *[PanelRows * TileRows]float32, p Panel, t Tile, columns int, s *Chains) {
	gemm(f, c, p, t, columns, s)
}

// Finish writes the products of a panel and a tile to their place:
//
//	dst[n*stride+r] = c[r*16+n] (+ dst[n*stride+r] if add) (+ bias[r]) (- shift[n])
//
// for r < rows, n < lanes, summed in this order; bias and shift may be nil. It
// may read 16 whole rows of c.
func Finish(dst []float32, stride int, c []float32, rows, lanes int, bias, shift []float32, add bool) {
	finish(dst, stride, c, rows, lanes, bias, shift, add)
}

// AddColumns adds so many rows of a panel, from the first given, to sum, which has an element for
// each column: the float32 value of each weight, in float64, row by row.
func AddColumns(f Format, sum []float64, p Panel, first, rows int) {
	addColumns(f, sum, p, first, rows)
}

// Widen converts numbers to float32.
func Widen(f Float, dst []float32, w []byte) { widen(f, dst, w) }

// GemvFloat multiplies len(dst) rows of weights, stride bytes apart, with x:
// dst[r] is the sum of w[r,i]*x[i], in several partial sums.
func GemvFloat(f Float, dst []float32, w []byte, stride int, x []float32) {
	gemvFloat(f, dst, w, stride, x)
}

// FetchBytes is how much [GemmFloat] fetches ahead for each column: with 32
// rows of activations or more, all of the next panel.
const FetchBytes = 32

// GemmFloat multiplies 16 rows of weights, stride elements apart, with 16 rows
// of activations that lie side by side: c[r*16+n] is the sum of
// w[r*stride+k]*a[k*16+n], in order of k. Meanwhile it may fetch into the cache
// what lies ahead, up to [FetchBytes] for each k.
func GemmFloat(c *[PanelRows * TileRows]float32, w []float32, stride int, a []float32, ahead []byte) {
	gemmFloat(c, w, stride, a, ahead)
}

// GemmFloat2 is [GemmFloat] for two tiles of activations, one after the other
// in a, to the last bit: some tiers take two at once faster than one by one. It
// may fetch twice as much.
func GemmFloat2(c *[2 * PanelRows * TileRows]float32, w []float32, stride int, a []float32, ahead []byte) {
	gemmFloat2(c, w, stride, a, ahead)
}

// gemmFloatTwice is gemmFloat2 where two tiles are no faster than one by one.
func gemmFloatTwice(c *[2 * PanelRows * TileRows]float32, w []float32, stride int, a []float32, ahead []byte) {
	const size = PanelRows * TileRows
	half := len(a) / 2
	gemmFloat((*[size]float32)(c[:size]), w, stride, a[:half], ahead)
	ahead = ahead[min(FetchBytes*half/TileRows, len(ahead)):]
	gemmFloat((*[size]float32)(c[size:]), w, stride, a[half:], ahead)
}

// AddFloats adds x to sum.
func AddFloats(sum []float64, x []float32) { addFloats(sum, x) }
