//go:build !purego

package asm

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// unsignedFlip turns the codes of a tile into unsigned bytes, 128 above.
const unsignedFlip = 0x80808080

func tileFlip() uint32 {
	if useAVX512 {
		return unsignedFlip
	}
	return 0
}

// plainAVX2 tells whether AVX2 is the best there is.
func plainAVX2() bool { return useAVX2 && !useAVX512 }

func tileHalves() bool { return plainAVX2() }

func codeBytes(f Format) int {
	if f == Q8_0 && plainAVX2() {
		return 2
	}
	return 1
}

// offsetAVX2 is how much above its value a code of a panel is stored.
func offsetAVX2(f Format) int32 {
	if !plainAVX2() {
		return 0
	}
	return [formats]int32{Q8_0: 128, Q4_0: 8, Q5_0: 16, Q6_K: 32}[f]
}

func quantize(c Codes, x []float32) {
	if useAVX512 && len(x) > 0 {
		quantizeAVX512(&c.Q[0], &c.Scale[0], &c.Low[0], &c.Sum[0], &c.Half[0], &x[0], len(c.Scale))
		return
	}
	if useAVX2 && len(x) > 0 {
		quantizeAVX2(&c.Q[0], &c.Scale[0], &c.Low[0], &c.Sum[0], &c.Half[0], &x[0], len(c.Scale))
		return
	}
	quantizeGeneric(c, x)
}

func transpose(dst, src []uint32, stride, rows, cols int, flip uint32) {
	if useAVX512 && rows > 0 && cols > 0 {
		transposeAVX512(&dst[0], &src[0], stride, rows, cols, flip)
		return
	}
	if n := cols &^ 7; useAVX2 && rows > 0 && n > 0 {
		transposeAVX2(&dst[0], &src[0], stride, rows, n, flip)
		if n == cols {
			return
		}
		dst, src, cols = dst[n*TileRows:], src[n:], cols-n
	}
	transposeGeneric(dst, src, stride, rows, cols, flip)
}

func readsCrossed() bool { return useAVX2 }

func cross(e *Eight) {
	if useAVX2 {
		crossAVX2((*byte)(unsafe.Pointer(e)))
		return
	}
	crossGeneric(e)
}

// hasVBMI tells whether the best products of one row can run.
var hasVBMI = cpu.X86.HasAVX512VBMI

func gemv(f Format, dst []float32, w []byte, stride, groups int, a []Eight) {
	if len(dst) == 0 || groups == 0 || !useAVX2 {
		gemvGeneric(f, dst, w, stride, groups, a)
		return
	}
	e := (*byte)(unsafe.Pointer(&a[0]))
	if useAVX512 && (hasVBMI || f == Q8_0) {
		gemvAVX512(f, &dst[0], &w[0], stride, len(dst), groups, e)
		return
	}
	gemvAVX2(f, &dst[0], &w[0], stride, len(dst), groups, e)
}

func gemvAVX2(f Format, dst *float32, w *byte, stride, rows, groups int, a *byte) {
	switch f {
	case Q8_0:
		gemvQ8_0AVX2(dst, w, stride, rows, groups, a)
	case Q4_0:
		gemvQ4_0AVX2(dst, w, stride, rows, groups, a)
	case Q4_1:
		gemvQ4_1AVX2(dst, w, stride, rows, groups, a)
	case Q5_0:
		gemvQ5_0AVX2(dst, w, stride, rows, groups, a)
	case Q5_1:
		gemvQ5_1AVX2(dst, w, stride, rows, groups, a)
	case Q4_K:
		gemvQ4_KAVX2(dst, w, stride, rows, groups, a)
	case Q5_K:
		gemvQ5_KAVX2(dst, w, stride, rows, groups, a)
	case Q6_K:
		gemvQ6_KAVX2(dst, w, stride, rows, groups, a)
	}
}

func gemvAVX512(f Format, dst *float32, w *byte, stride, rows, groups int, a *byte) {
	switch f {
	case Q8_0:
		gemvQ8_0AVX512(dst, w, stride, rows, groups, a)
	case Q4_0:
		gemvQ4_0VBMI(dst, w, stride, rows, groups, a)
	case Q4_1:
		gemvQ4_1VBMI(dst, w, stride, rows, groups, a)
	case Q5_0:
		gemvQ5_0VBMI(dst, w, stride, rows, groups, a)
	case Q5_1:
		gemvQ5_1VBMI(dst, w, stride, rows, groups, a)
	case Q4_K:
		gemvQ4_KVBMI(dst, w, stride, rows, groups, a)
	case Q5_K:
		gemvQ5_KVBMI(dst, w, stride, rows, groups, a)
	case Q6_K:
		gemvQ6_KVBMI(dst, w, stride, rows, groups, a)
	}
}

func unpack(f Format, p Panel, blocks int, w []byte, stride int) {
	if useAVX512 && blocks > 0 {
		q, s, l, t, w := &p.Q[0], &p.Scale[0], &p.Low[0], &p.Start[0], &w[0]
		switch f {
		case Q8_0:
			unpackQ8_0AVX512(q, s, l, t, w, stride, blocks)
		case Q4_0:
			unpackQ4_0AVX512(q, s, l, t, w, stride, blocks)
		case Q4_1:
			unpackQ4_1AVX512(q, s, l, t, w, stride, blocks)
		case Q5_0:
			unpackQ5_0AVX512(q, s, l, t, w, stride, blocks)
		case Q5_1:
			unpackQ5_1AVX512(q, s, l, t, w, stride, blocks)
		case Q4_K:
			unpackQ4_KAVX512(q, s, l, t, w, stride, blocks)
		case Q5_K:
			unpackQ5_KAVX512(q, s, l, t, w, stride, blocks)
		case Q6_K:
			unpackQ6_KAVX512(q, s, l, t, w, stride, blocks)
		}
		return
	}
	if useAVX2 && blocks > 0 {
		size := CodeBytes(f) * layouts[f].Group
		for r := range PanelRows {
			unpackRowAVX2(f, &p.Q[r*size], &p.Scale[r], &p.Low[r], &w[r*stride], blocks)
		}
		return
	}
	unpackGeneric(f, p, blocks, w, stride)
}

func unpackRowAVX2(f Format, q *int8, scale, low *float32, w *byte, blocks int) {
	switch f {
	case Q8_0:
		unpackRowQ8_0AVX2(q, scale, low, w, blocks)
	case Q4_0:
		unpackRowQ4_0AVX2(q, scale, low, w, blocks)
	case Q4_1:
		unpackRowQ4_1AVX2(q, scale, low, w, blocks)
	case Q5_0:
		unpackRowQ5_0AVX2(q, scale, low, w, blocks)
	case Q5_1:
		unpackRowQ5_1AVX2(q, scale, low, w, blocks)
	case Q4_K:
		unpackRowQ4_KAVX2(q, scale, low, w, blocks)
	case Q5_K:
		unpackRowQ5_KAVX2(q, scale, low, w, blocks)
	case Q6_K:
		unpackRowQ6_KAVX2(q, scale, low, w, blocks)
	}
}

func gemm(f Format, c *[PanelRows * TileRows]float32, p Panel, t Tile, columns int, s *Chains) {
	l := layouts[f]
	if useAVX512 && columns > 0 {
		switch {
		case l.Low:
			gemmLowAVX512(&c[0], &p.Q[0], &p.Scale[0], &p.Low[0], &p.Start[0], &t.Q[0], &t.Scale[0], &t.Low[0], columns, &s[0])
		case l.Group == 16:
			gemm16AVX512(&c[0], &p.Q[0], &p.Scale[0], &p.Low[0], &p.Start[0], &t.Q[0], &t.Scale[0], &t.Low[0], columns, &s[0])
		default:
			gemmAVX512(&c[0], &p.Q[0], &p.Scale[0], &p.Low[0], &p.Start[0], &t.Q[0], &t.Scale[0], &t.Low[0], columns, &s[0])
		}
		return
	}
	if useAVX2 && columns > 0 {
		kernel := gemmLow4AVX2
		switch f {
		case Q8_0:
			kernel = gemmQ8_0AVX2
		case Q4_0:
			kernel = gemmQ4_0AVX2
		case Q5_0:
			kernel = gemmQ5_0AVX2
		case Q5_1, Q5_K:
			kernel = gemmLow5AVX2
		case Q6_K:
			kernel = gemmQ6_KAVX2
		}
		kernel(&c[0], &p.Q[0], &p.Scale[0], &p.Low[0], &t.Q[0], &t.Scale[0], &t.Low[0], &t.Half[0], columns, &s[0])
		return
	}
	gemmGeneric(f, c, p, t, columns)
}

func finish(dst []float32, stride int, c []float32, rows, lanes int, bias, shift []float32, add bool) {
	if useAVX512 && rows > 0 && lanes > 0 {
		finishAVX512(&dst[0], stride, &c[0], rows, lanes, unsafe.SliceData(bias), unsafe.SliceData(shift), add)
		return
	}
	if useAVX2 && rows == PanelRows && lanes > 0 {
		finishAVX2(&dst[0], stride, &c[0], lanes, unsafe.SliceData(bias), unsafe.SliceData(shift), add)
		return
	}
	finishGeneric(dst, stride, c, rows, lanes, bias, shift, add)
}

func addColumns(f Format, sum []float64, p Panel, first, rows int) {
	l := layouts[f]
	groups := len(sum) / l.Group
	if !useAVX2 || groups == 0 || rows == 0 {
		addColumnsGeneric(f, sum, p, first, rows)
		return
	}
	q, scale, low, offset := &p.Q[first*codeBytes(f)*l.Group], &p.Scale[first], &p.Low[first], offsetAVX2(f)
	switch {
	case l.Low:
		addColumnsLowAVX2(&sum[0], q, scale, low, groups, rows, offset)
	case l.Group == 16:
		addColumns16AVX2(&sum[0], q, scale, low, groups, rows, offset)
	case codeBytes(f) == 2:
		addColumnsNibblesAVX2(&sum[0], q, scale, low, groups, rows, offset)
	default:
		addColumnsAVX2(&sum[0], q, scale, low, groups, rows, offset)
	}
}
