//go:build !purego

package asm

import "github.com/normswap/normswap/quant"

// An unpackKernel is unpackGeneric of that many blocks, at least one.
type unpackKernel func(q *int8, scale, min *float32, w *byte, stride, blocks int)

var unpacksNEON = [types]unpackKernel{
	quant.Q8_0:    unpackQ8_0NEON,
	quant.Q4_0:    unpackQ4_0NEON,
	quant.Q4_1:    unpackQ4_1NEON,
	quant.Q5_0:    unpackQ5_0NEON,
	quant.Q5_1:    unpackQ5_1NEON,
	quant.Q4_K:    unpackQ4_KNEON,
	quant.Q5_K:    unpackQ5_KNEON,
	quant.Q6_K:    unpackQ6_KNEON,
	quant.IQ1_S:   unpackIQ1_SNEON,
	quant.IQ1_M:   unpackIQ1_MNEON,
	quant.IQ2_XXS: unpackIQ2_XXSNEON,
	quant.IQ2_XS:  unpackIQ2_XSNEON,
	quant.IQ2_S:   unpackIQ2_SNEON,
	quant.IQ3_XXS: unpackIQ3_XXSNEON,
	quant.IQ3_S:   unpackIQ3_SNEON,
	quant.Q2_K:    unpackQ2_KNEON,
	quant.Q3_K:    unpackQ3_KNEON,
	quant.IQ4_NL:  unpackIQ4_NLNEON,
	quant.IQ4_XS:  unpackIQ4_XSNEON,
	quant.MXFP4:   unpackMXFP4NEON,
	quant.NVFP4:   unpackNVFP4NEON,
	quant.TQ1_0:   unpackTQ1_0NEON,
	quant.TQ2_0:   unpackTQ2_0NEON,
	quant.Q1_0:    unpackQ1_0NEON,
	quant.Q2_0:    unpackQ2_0NEON,
}

func unpack(kernel unpackKernel) func(p Panel, blocks int, w []byte, stride int) {
	return func(p Panel, blocks int, w []byte, stride int) {
		kernel(&p.Q[0], &p.Scale[0], &p.Min[0], &w[0], stride, blocks)
	}
}

//go:noescape
func unpackQ8_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ4_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ4_1NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ5_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ5_1NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ4_KNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ5_KNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ6_KNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackIQ1_SNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackIQ1_MNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackIQ2_XXSNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackIQ2_XSNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackIQ2_SNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackIQ3_XXSNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackIQ3_SNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
