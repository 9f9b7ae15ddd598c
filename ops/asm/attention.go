package asm

import (
	"math"

	"github.com/x448/float16"
)

// PanelCols is the number of columns of a panel of keys or values. Such a panel
// holds a matrix of any number of rows and PanelCols columns, row after row; a
// wider matrix is a sequence of panels.
const PanelCols = 16

// MulPanels32 sets c = a*b for rows of a (lda apart) and panels of b (stride
// apart), k long: c[r*ldc+PanelCols*p+l] = sum over i < k of a[r*lda+i]*b[p*stride+PanelCols*i+l].
func MulPanels32(c, a, b []float32, rows, k, panels, ldc, lda, stride int) {
	mulPanels32(c, a, b, rows, k, panels, ldc, lda, stride)
}

// MulPanels16 is [MulPanels32] for panels in half precision.
func MulPanels16(c, a []float32, b []uint16, rows, k, panels, ldc, lda, stride int) {
	mulPanels16(c, a, b, rows, k, panels, ldc, lda, stride)
}

// mulPanelsGeneric is the definition of MulPanels:
//
//	c[r*ldc+PanelCols*p+l] = sum over i < k of a[r*lda+i] * b[p*stride+PanelCols*i+l]
//
// for r < rows, p < panels, l < PanelCols. In the vector versions each sum is one
// chain of fused multiply-adds in float32 in the order of i, so that the
// result depends neither on the shape of the tile nor on the instruction set.
// Here it is the same chain, fused where Go does so.
func mulPanelsGeneric[T float32 | uint16](c, a []float32, b []T, rows, k, panels, ldc, lda, stride int, widen func(T) float32) {
	for p := range panels {
		for r := range rows {
			clear(c[r*ldc+PanelCols*p:][:PanelCols])
		}
		for i := range k {
			var w [PanelCols]float32
			for l, v := range b[p*stride+PanelCols*i:][:PanelCols] {
				w[l] = widen(v)
			}
			for r := range rows {
				v := a[r*lda+i]
				sum := (*[PanelCols]float32)(c[r*ldc+PanelCols*p:])
				for l := range sum {
					sum[l] += v * w[l]
				}
			}
		}
	}
}

func widen32(f float32) float32 { return f }
func widen16(h uint16) float32  { return float16.Frombits(h).Float32() }
func narrow16(f float32) uint16 { return float16.Fromfloat32(f).Bits() }

// Scatter32 stores x as one column of a panel: dst[PanelCols*i] = x[i].
func Scatter32(dst, x []float32) {
	for i, v := range x {
		dst[PanelCols*i] = v
	}
}

// Scatter16 is [Scatter32] in half precision.
func Scatter16(dst []uint16, x []float32) { scatter16(dst, x) }

func scatter16Generic(dst []uint16, x []float32) {
	for i, v := range x {
		dst[PanelCols*i] = narrow16(v)
	}
}

// Spread32 stores x as one row of a sequence of panels: PanelCols elements in
// each, stride elements apart.
func Spread32(dst, x []float32, stride int) {
	for i := 0; i < len(x); i += PanelCols {
		copy(dst[i/PanelCols*stride:], x[i:min(i+PanelCols, len(x))])
	}
}

// Spread16 is [Spread32] in half precision.
func Spread16(dst []uint16, x []float32, stride int) { spread16(dst, x, stride) }

func spread16Generic(dst []uint16, x []float32, stride int) {
	for i, v := range x {
		dst[i/PanelCols*stride+i%PanelCols] = narrow16(v)
	}
}

// Bias sets x[i] += (first+i)*slope.
func Bias(x []float32, slope, first float32) { bias(x, slope, first) }

// biasGeneric is the definition of Bias.
func biasGeneric(x []float32, slope, first float32) {
	for i := range x {
		x[i] = fma(first+float32(i), slope, x[i])
	}
}

// exp2Low is the least exponent of Exp2Sums: what it gives is a normal number.
const exp2Low = -125

// Exp2Sums sets, for each row r < len(n), the first n[r] elements x of x[r*ld:] to
// 2^max(x-top[r], -125), where top[r] is the largest of them rounded to an integer, and sum[r] to
// the sum of the new ones. A row's result does not depend on the others. The vector versions differ from the
// definition by at most 2 ulp; NaN gives NaN.
func Exp2Sums(x []float32, ld int, n []int, top []float32, sum []float64) {
	exp2Sums(x, ld, n, top, sum)
}

// exp2SumsGeneric is the definition of Exp2Sums.
func exp2SumsGeneric(x []float32, ld int, n []int, top []float32, sum []float64) {
	for r, n := range n {
		top[r] = float32(math.RoundToEven(float64(maxGeneric(x[r*ld:][:n]))))
		sum[r] = exp2SumGeneric(x[r*ld:][:n], top[r])
	}
}

// exp2SumGeneric is Exp2Sums of one row, given top.
func exp2SumGeneric(x []float32, top float32) (sum float64) {
	for i, v := range x {
		x[i] = float32(math.Exp2(float64(max(v-top, exp2Low))))
		sum += float64(x[i])
	}
	return sum
}

// Softcap sets x[i] = limit * tanh(x[i]*scale).
func Softcap(x []float32, scale, limit float32) { softcap(x, scale, limit) }

// softcapGeneric is the definition of Softcap.
func softcapGeneric(x []float32, scale, limit float32) {
	for i, v := range x {
		x[i] = limit * float32(math.Tanh(float64(v*scale)))
	}
}

// ScaleAdd sets x[i] = x[i]*a + y[i]*b.
func ScaleAdd(x, y []float32, a, b float32) { scaleAdd(x, y, a, b) }

// scaleAddGeneric is the definition of ScaleAdd.
func scaleAddGeneric(x, y []float32, a, b float32) {
	for i, v := range y {
		x[i] = fma(x[i], a, v*b)
	}
}

// RotateHalves rotates the pairs (x[i], x[i+half]) of each head, where half is
// len(own)/2: x[j] = x[j]*own[j] + x[partner(j)]*other[j] for both of a pair.
func RotateHalves(x, own, other []float32, heads, headDim int) {
	rotateHalves(x, own, other, heads, headDim)
}

// rotateHalvesGeneric is the definition of RotateHalves.
func rotateHalvesGeneric(x, own, other []float32, heads, headDim int) {
	half := len(own) / 2
	for h := range heads {
		for i := range half {
			rotate(x[h*headDim:], own, other, i, i+half)
		}
	}
}

// RotatePairs rotates the pairs (x[2i], x[2i+1]) of each head in the same way.
func RotatePairs(x, own, other []float32, heads, headDim int) {
	rotatePairs(x, own, other, heads, headDim)
}

// rotatePairsGeneric is the definition of RotatePairs.
func rotatePairsGeneric(x, own, other []float32, heads, headDim int) {
	for h := range heads {
		for i := 0; i < len(own); i += 2 {
			rotate(x[h*headDim:], own, other, i, i+1)
		}
	}
}

func rotate(x, own, other []float32, a, b int) {
	x[a], x[b] = fma(x[a], own[a], x[b]*other[a]), fma(x[b], own[b], x[a]*other[b])
}
