package asm

import (
	"math"

	"github.com/x448/float16"
)

// Lanes is the number of columns of a panel. A panel holds a matrix of any
// number of rows and Lanes columns, row after row; a wider matrix is a
// sequence of panels.
const Lanes = 16

// mulPanelsGeneric is the definition of MulPanels:
//
//	c[r*ldc+Lanes*p+l] = sum over i < k of a[r*lda+i] * b[p*stride+Lanes*i+l]
//
// for r < rows, p < panels, l < Lanes. In the vector versions each sum is one
// chain of fused multiply-adds in float32 in the order of i, so that the
// result depends neither on the shape of the tile nor on the instruction set.
// Here it is the same chain, fused where Go does so.
func mulPanelsGeneric[T float32 | uint16](c, a []float32, b []T, rows, k, panels, ldc, lda, stride int, widen func(T) float32) {
	for p := range panels {
		for r := range rows {
			clear(c[r*ldc+Lanes*p:][:Lanes])
		}
		for i := range k {
			var w [Lanes]float32
			for l, v := range b[p*stride+Lanes*i:][:Lanes] {
				w[l] = widen(v)
			}
			for r := range rows {
				v := a[r*lda+i]
				sum := (*[Lanes]float32)(c[r*ldc+Lanes*p:])
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

// Scatter32 stores x as one column of a panel: dst[Lanes*i] = x[i].
func Scatter32(dst, x []float32) {
	for i, v := range x {
		dst[Lanes*i] = v
	}
}

func scatter16Generic(dst []uint16, x []float32) {
	for i, v := range x {
		dst[Lanes*i] = narrow16(v)
	}
}

// Spread32 stores x as one row of a sequence of panels: Lanes elements in
// each, stride elements apart.
func Spread32(dst, x []float32, stride int) {
	for i := 0; i < len(x); i += Lanes {
		copy(dst[i/Lanes*stride:], x[i:min(i+Lanes, len(x))])
	}
}

func spread16Generic(dst []uint16, x []float32, stride int) {
	for i, v := range x {
		dst[i/Lanes*stride+i%Lanes] = narrow16(v)
	}
}

// biasGeneric is the definition of Bias: x[i] = x[i]*scale + (first+i)*slope,
// and the largest of them is returned.
func biasGeneric(x []float32, scale, slope, first float32) float32 {
	for i := range x {
		x[i] = fma(x[i], scale, (first+float32(i))*slope)
	}
	return maxGeneric(x)
}

// softcapGeneric is the definition of Softcap.
func softcapGeneric(x []float32, scale, limit float32) {
	for i, v := range x {
		x[i] = limit * float32(math.Tanh(float64(v*scale)))
	}
}

// scaleAddGeneric is the definition of ScaleAdd.
func scaleAddGeneric(x, y []float32, a, b float32) {
	for i, v := range y {
		x[i] = fma(x[i], a, v*b)
	}
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
