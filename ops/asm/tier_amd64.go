//go:build !purego

package asm

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/normswap/normswap/quant"
)

var useAVX2, useAVX512 bool

// AVX512 means what Zen 4 and Ice Lake have in common: F, BW, DQ, VL and VNNI.
var tiers = []tier{
	{"avx2", cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C, &useAVX2, kernelsAVX2()},
	{"avx512", cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW &&
		cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512VNNI, &useAVX512, kernelsAVX512()},
}

// hasVBMI: the instructions that needsVBMI asks for.
var hasVBMI = cpu.X86.HasAVX512VBMI && cpu.X86.HasAVX512GFNI

func kernelsAVX2() kernels {
	k := kernels{
		floats: [types]floatKernels{
			quant.F32:  {nil, gemvF32AVX2},
			quant.F16:  {widenF16AVX2, gemvF16AVX2},
			quant.BF16: {widenBF16AVX2, gemvBF16AVX2},
		},
		quantize:  quantizeAVX2,
		shuffle:   shuffleAVX2,
		transpose: transpose8,
		dotQ8:     dotQ8AVX2,
		epilogue:  epilogue8,
		gemmFloat: fetching(gemmFloatAVX2),
		addFloats: addFloatsAVX2,
		activations: [numActivations]activationKernels{
			GELU:    {geluAVX2, geluMulAVX2},
			GELUErf: {geluErfAVX2, geluErfMulAVX2},
			SiLU:    {siluAVX2, siluMulAVX2},
			ReLU:    {reluAVX2, reluMulAVX2},
			ReLU2:   {relu2AVX2, relu2MulAVX2},
		},
	}
	for t := range weightTypes {
		if w := &weightTypes[t]; gemvsAVX2[t] != nil {
			q := panelQuantsAVX2[t]
			k.ints[t] = intKernels{
				gemv:       gemvsAVX2[t],
				unpack:     unpackRows(unpackRowsAVX2[t], q.bytes*w.Group),
				gemm:       gemm2(gemmsAVX2[t]),
				gemm8:      gemm2(gemms8AVX2[t]),
				sumColumns: sumColumns(columnSumsAVX2[t], w.Group, q),
				quantBytes: q.bytes,
			}
			if kernel := unpackGridRows[t]; kernel != nil {
				k.ints[t].unpack = unpackGrid(kernel, w.Group, w.Quants.Zero)
				k.ints[t] = k.ints[t].lookingUp()
			}
		}
	}
	return k
}

func kernelsAVX512() kernels {
	k := kernels{
		floats: [types]floatKernels{
			quant.F32:  {nil, gemvF32AVX512},
			quant.F16:  {widenF16AVX512, gemvF16AVX512},
			quant.BF16: {widenBF16AVX512, gemvBF16AVX512},
		},
		quantize:     quantizeAVX512,
		shuffle:      shuffleAVX2,
		transpose:    transpose16,
		signFlip:     0x80808080, // 128 above
		tileFrom:     4,
		dotQ8:        dotQ8AVX512,
		epilogue:     epilogue16(epilogueAVX512),
		epilogueRows: epilogue16(epilogueRowsAVX512),
		gemmFloat:    fetching(gemmFloatAVX512),
		gemmFloat2:   gemmFloat2Fetching,
		addFloats:    addFloatsAVX512,
		activations: [numActivations]activationKernels{
			GELU:    {geluAVX512, geluMulAVX512},
			GELUErf: {geluErfAVX512, geluErfMulAVX512},
			SiLU:    {siluAVX512, siluMulAVX512},
			ReLU:    {reluAVX512, reluMulAVX512},
			ReLU2:   {relu2AVX512, relu2MulAVX512},
		},
	}
	for t := range weightTypes {
		if w := &weightTypes[t]; gemvsAVX2[t] != nil {
			gemv := gemvsAVX512[t]
			if needsVBMI[t] && !hasVBMI {
				gemv = gemvsAVX2[t]
			}
			k.ints[t] = intKernels{
				gemv:       gemv,
				unpack:     unpack512(unpacksAVX512[t]),
				gemm:       gemm512(gemmsAVX512[t]),
				gemm8:      gemm512(gemms8AVX512[t]),
				sumColumns: sumColumns(columnSumsAVX512[t], w.Group, panelQuants{bytes: 1}),
			}
			if kernel := unpackGridRows[t]; kernel != nil {
				k.ints[t].unpack = compensated(unpackGrid(kernel, w.Group, 0), w)
				k.ints[t] = k.ints[t].lookingUp()
			}
			if kernel := signedRowsAVX2[t]; kernel != nil {
				k.ints[t].unpack = compensated(unpackRows(kernel, w.Group), w)
			}
		}
	}
	k.ints[quant.Q8_0].gemmStored = gemmStoredQ8_0
	if hasVBMI {
		k.stride = strideVBMI
	}
	return k
}

// An unpackRowKernel unpacks blocks, at least one, to a row of a panel.
type unpackRowKernel func(q *int8, scale, min *float32, w *byte, blocks int)

// unpackRows returns Unpack by rows, size bytes apart in a group of the panel.
func unpackRows(kernel unpackRowKernel, size int) func(p Panel, blocks int, w []byte, stride int) {
	return func(p Panel, blocks int, w []byte, stride int) {
		for r := range PanelRows {
			kernel(&p.Q[r*size], &p.Scale[r], &p.Min[r], &w[r*stride], blocks)
		}
	}
}

// An unpackGridKernel unpacks blocks, at least one, to a row of a panel, and adds
// 32 bytes to the quants.
type unpackGridKernel func(q *int8, scale *float32, w *byte, blocks int, zero *uint32)

func unpackGrid(kernel unpackGridKernel, group, zero int) func(p Panel, blocks int, w []byte, stride int) {
	var zeros [8]uint32
	for i := range zeros {
		zeros[i] = uint32(zero) * 0x01010101
	}
	return func(p Panel, blocks int, w []byte, stride int) {
		for r := range PanelRows {
			kernel(&p.Q[r*group], &p.Scale[r], &w[r*stride], blocks, &zeros[0])
		}
	}
}

// compensated returns an Unpack that finds the compensation after another one.
func compensated(unpack func(p Panel, blocks int, w []byte, stride int), w *weightType) func(p Panel, blocks int, w []byte, stride int) {
	compensate := compensate32AVX512
	if w.Group == 16 {
		compensate = compensate16AVX512
	}
	groups := w.groups()
	return func(p Panel, blocks int, w []byte, stride int) {
		unpack(p, blocks, w, stride)
		compensate(&p.Compensation[0], &p.Q[0], blocks*groups)
	}
}

// An unpackKernel512 is unpackGeneric, with compensation.
type unpackKernel512 func(q *int8, scale, min *float32, comp *int32, w *byte, stride, blocks int)

func unpack512(kernel unpackKernel512) func(p Panel, blocks int, w []byte, stride int) {
	return func(p Panel, blocks int, w []byte, stride int) {
		kernel(&p.Q[0], &p.Scale[0], &p.Min[0], &p.Compensation[0], &w[0], stride, blocks)
	}
}

// A gemmKernel2 is gemmGeneric for panels that an unpackRowKernel made.
type gemmKernel2 func(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, ahalf *uint32, columns int, chains *float32, ahead *byte, step int)

func gemm2(kernel gemmKernel2) panelProduct {
	return func(c *Tile, p Panel, a Q8Panel, columns int, ahead []byte, s *Chains) {
		kernel(&c[0], &p.Q[0], &p.Scale[0], &p.Min[0], &a.Q[0], &a.Scale[0], &a.ScaledSum[0], &a.HalfSum[0], columns, &s[0], unsafe.SliceData(ahead), perGroup(ahead, columns))
	}
}

// A gemmKernel512 is gemmGeneric for panels that an unpackKernel512 made.
type gemmKernel512 func(c *float32, q *int8, scale, min *float32, comp *int32, aq *uint32, ascale, asum *float32, ahalf *uint32, columns int, chains *float32, ahead *byte, step int)

func gemm512(kernel gemmKernel512) panelProduct {
	return func(c *Tile, p Panel, a Q8Panel, columns int, ahead []byte, s *Chains) {
		kernel(&c[0], &p.Q[0], &p.Scale[0], &p.Min[0], &p.Compensation[0], &a.Q[0], &a.Scale[0], &a.ScaledSum[0], &a.HalfSum[0], columns, &s[0], unsafe.SliceData(ahead), perGroup(ahead, columns))
	}
}

func gemmStoredQ8_0(c *Chains, w []byte, stride int, a Q8Panel, columns, rows int, ahead []byte) {
	step := perGroup(ahead, columns)
	if step == 0 {
		ahead = w
	}
	gemmStoredQ8_0AVX512(&w[0], stride, &a.Q[0], &a.Scale[0], columns, (rows+3)/4*256, &c[0], &ahead[0], step)
}

// perGroup is how many bytes of what lies ahead are fetched with each group.
func perGroup(ahead []byte, columns int) int {
	groups := columns / Group
	return (len(ahead) + groups - 1) / groups
}

// panelQuants is how the quants of a panel are stored: the bytes of each, and
// how much more than its value it is.
type panelQuants struct {
	bytes  int
	offset int32
}

// A sumColumnsKernel2 is sumColumnsGeneric for quants stored offset above their
// value.
type sumColumnsKernel2 func(sum *float64, q *int8, scale, min *float32, groups, rows int, offset int32)

func sumColumns(kernel sumColumnsKernel2, group int, q panelQuants) func(sum []float64, p Panel, first, rows int) {
	return func(sum []float64, p Panel, first, rows int) {
		kernel(&sum[0], &p.Q[first*q.bytes*group], &p.Scale[first], &p.Min[first], len(sum)/group, rows, q.offset)
	}
}

func transpose16(dst, src []uint32, stride, rows, cols int, flip uint32) {
	if rows > 0 && cols > 0 {
		transposeAVX512(&dst[0], &src[0], stride, rows, cols, flip)
		return
	}
	transposeGeneric(dst, src, stride, rows, cols, flip)
}

func transpose8(dst, src []uint32, stride, rows, cols int, flip uint32) {
	if n := cols &^ 7; rows > 0 && n > 0 {
		transposeAVX2(&dst[0], &src[0], stride, rows, n, flip)
		if n == cols {
			return
		}
		dst, src, cols = dst[n*PanelRows:], src[n:], cols-n
	}
	transposeGeneric(dst, src, stride, rows, cols, flip)
}

func epilogue16(kernel func(dst *float32, stride int, c *float32, rows, lanes int, bias, mean *float32, add bool)) EpilogueFunc {
	return func(dst []float32, stride int, c []float32, rows, lanes int, bias, mean []float32, add bool) {
		if rows > 0 && lanes > 0 {
			kernel(&dst[0], stride, &c[0], rows, lanes, unsafe.SliceData(bias), unsafe.SliceData(mean), add)
		}
	}
}

func epilogue8(dst []float32, stride int, c []float32, rows, lanes int, bias, mean []float32, add bool) {
	if rows == PanelRows && lanes > 0 {
		epilogueAVX2(&dst[0], stride, &c[0], lanes, unsafe.SliceData(bias), unsafe.SliceData(mean), add)
		return
	}
	epilogueGeneric(dst, stride, c, rows, lanes, bias, mean, add)
}

// fetching returns GemmFloat by a kernel that fetches two cache lines for every
// four columns and moves on by step.
func fetching(kernel func(c, w *float32, stride, k int, a *float32, ahead uintptr, step int)) func(c *Tile, w []float32, stride int, a []float32, ahead []byte) {
	return func(c *Tile, w []float32, stride int, a []float32, ahead []byte) {
		from, step := fetchFrom(w, ahead)
		kernel(&c[0], &w[0], stride, len(a)/PanelRows, &a[0], from, step)
	}
}

// With AVX-512 a broadcast weight serves two panels, so that loads do not bound
// the products.
func gemmFloat2Fetching(c *[2 * len(Tile{})]float32, w []float32, stride int, a []float32, ahead []byte) {
	from, step := fetchFrom(w, ahead)
	gemmFloat2AVX512(&c[0], &w[0], stride, len(a)/(2*PanelRows), &a[0], from, step)
}

// fetchFrom returns where fetching begins, and how far it goes for every four
// columns; without anything ahead it stays at the weights.
func fetchFrom(w []float32, ahead []byte) (from uintptr, step int) {
	if len(ahead) == 0 {
		return uintptr(unsafe.Pointer(&w[0])), 0
	}
	return uintptr(unsafe.Pointer(&ahead[0])), 4 * FetchBytes
}
