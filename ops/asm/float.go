package asm

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/x448/float16"

	"github.com/normswap/normswap/quant"
)

// Widen converts weights of type F32, F16 or BF16 to float32.
func Widen(t quant.Type, dst []float32, w []byte) {
	switch kernel := active.floats[t].widen; {
	case len(dst) == 0:
	case t == quant.F32:
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), 4*len(dst)), w)
	case kernel != nil:
		kernel(&dst[0], &w[0], len(dst))
	default:
		widenGeneric(t, dst, w)
	}
}

// widenGeneric is the definition of Widen.
func widenGeneric(t quant.Type, dst []float32, w []byte) {
	for i := range dst {
		dst[i] = floatAt(t, w, i)
	}
}

// floatAt returns number i of w.
func floatAt(t quant.Type, w []byte, i int) float32 {
	switch t {
	case quant.F32:
		return math.Float32frombits(binary.LittleEndian.Uint32(w[4*i:]))
	case quant.F16:
		return float16.Frombits(binary.LittleEndian.Uint16(w[2*i:])).Float32()
	}
	return math.Float32frombits(uint32(binary.LittleEndian.Uint16(w[2*i:])) << 16)
}

// GemvFloat multiplies len(dst) rows of weights of type F32, F16 or BF16, stride
// bytes apart, with x: dst[r] is the sum of w[r,i]*x[i], in 32 partial sums, to whose
// sum the last len(x)%32 products are added in order, all with one rounding each.
func GemvFloat(t quant.Type, dst []float32, w []byte, stride int, x []float32) {
	if kernel := gemvKernels(t).floats[t].gemv; kernel != nil && len(dst) > 0 && len(x) > 0 {
		kernel(&dst[0], &w[0], stride, len(dst), len(x), &x[0])
		return
	}
	gemvFloatGeneric(t, dst, w, stride, x)
}

// gemvFloatGeneric is the definition of GemvFloat.
func gemvFloatGeneric(t quant.Type, dst []float32, w []byte, stride int, x []float32) {
	const lanes = 32
	whole := len(x) / lanes * lanes
	for r := range dst {
		row := w[r*stride:]
		var s [lanes]float32
		for i, v := range x[:whole] {
			s[i%lanes] = fma(floatAt(t, row, i), v, s[i%lanes])
		}
		for n := lanes / 2; n > 2; n /= 2 {
			for i := range n {
				s[i] += s[n+i]
			}
		}
		sum := (s[0] + s[1]) + (s[2] + s[3])
		for i, v := range x[whole:] {
			sum = fma(floatAt(t, row, whole+i), v, sum)
		}
		dst[r] = sum
	}
}

// FetchBytes is how much [GemmFloat] fetches ahead for each column: with 32
// rows of activations or more, all of the next panel.
const FetchBytes = 32

// GemmFloat multiplies 16 rows of weights, stride elements apart, with 16 rows
// of activations that lie side by side: c[r*16+n] is the sum of
// w[r*stride+k]*a[k*16+n], in order of k. Meanwhile it may fetch into the cache
// what lies ahead, up to [FetchBytes] for each k.
func GemmFloat(c *Tile, w []float32, stride int, a []float32, ahead []byte) {
	if active.gemmFloat == nil || len(a) == 0 {
		gemmFloatGeneric(c, w, stride, a)
		return
	}
	active.gemmFloat(c, w, stride, a, ahead)
}

// GemmFloat2 is [GemmFloat] for two panels of activations, one after the other
// in a, to the last bit: some tiers take two at once faster than one by one. It
// may fetch twice as much.
func GemmFloat2(c *[2 * len(Tile{})]float32, w []float32, stride int, a []float32, ahead []byte) {
	if active.gemmFloat2 != nil && len(a) > 0 {
		active.gemmFloat2(c, w, stride, a, ahead)
		return
	}
	const size = len(Tile{})
	half := len(a) / 2
	GemmFloat((*Tile)(c[:size]), w, stride, a[:half], ahead)
	ahead = ahead[min(FetchBytes*half/PanelRows, len(ahead)):]
	GemmFloat((*Tile)(c[size:]), w, stride, a[half:], ahead)
}

// gemmFloatGeneric is the definition of GemmFloat, up to the rounding of the
// products.
func gemmFloatGeneric(c *Tile, w []float32, stride int, a []float32) {
	*c = Tile{}
	for k := range len(a) / PanelRows {
		x := (*[PanelRows]float32)(a[k*PanelRows:])
		for r := range PanelRows {
			v := w[r*stride+k]
			acc := (*[PanelRows]float32)(c[r*PanelRows:])
			for n := range acc {
				acc[n] += v * x[n]
			}
		}
	}
}

// AddFloats adds x to sum.
func AddFloats(sum []float64, x []float32) {
	if kernel := active.addFloats; kernel != nil && len(x) > 0 {
		kernel(&sum[0], &x[0], len(x))
		return
	}
	addFloatsGeneric(sum, x)
}

// addFloatsGeneric is the definition of AddFloats.
func addFloatsGeneric(sum []float64, x []float32) {
	for i, v := range x {
		sum[i] += float64(v)
	}
}
