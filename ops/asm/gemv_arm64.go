//go:build !purego

package asm

import "github.com/normswap/normswap/quant"

// gemvsNEON is the product of one row by type.
var gemvsNEON = [types]gemvKernel{
	quant.Q8_0:    gemvQ8_0NEON,
	quant.Q4_0:    gemvQ4_0NEON,
	quant.Q4_1:    gemvQ4_1NEON,
	quant.Q5_0:    gemvQ5_0NEON,
	quant.Q5_1:    gemvQ5_1NEON,
	quant.Q4_K:    gemvQ4_KNEON,
	quant.Q5_K:    gemvQ5_KNEON,
	quant.Q6_K:    gemvQ6_KNEON,
	quant.IQ1_S:   gemvIQ1_SNEON,
	quant.IQ1_M:   gemvIQ1_MNEON,
	quant.IQ2_XXS: gemvIQ2_XXSNEON,
	quant.IQ2_XS:  gemvIQ2_XSNEON,
	quant.IQ2_S:   gemvIQ2_SNEON,
	quant.IQ3_XXS: gemvIQ3_XXSNEON,
	quant.IQ3_S:   gemvIQ3_SNEON,
	quant.Q2_K:    gemvQ2_KNEON,
	quant.Q3_K:    gemvQ3_KNEON,
	quant.IQ4_NL:  gemvIQ4_NLNEON,
	quant.IQ4_XS:  gemvIQ4_XSNEON,
	quant.MXFP4:   gemvMXFP4NEON,
	quant.NVFP4:   gemvNVFP4NEON,
	quant.TQ1_0:   gemvTQ1_0NEON,
	quant.TQ2_0:   gemvTQ2_0NEON,
	quant.Q1_0:    gemvQ1_0NEON,
	quant.Q2_0:    gemvQ2_0NEON,
}

// gemvsDotProd is the product of one row by type.
var gemvsDotProd = [types]gemvKernel{
	quant.Q8_0:    gemvQ8_0DotProd,
	quant.Q4_0:    gemvQ4_0DotProd,
	quant.Q4_1:    gemvQ4_1DotProd,
	quant.Q5_0:    gemvQ5_0DotProd,
	quant.Q5_1:    gemvQ5_1DotProd,
	quant.Q4_K:    gemvQ4_KDotProd,
	quant.Q5_K:    gemvQ5_KDotProd,
	quant.Q6_K:    gemvQ6_KDotProd,
	quant.IQ1_S:   gemvIQ1_SDotProd,
	quant.IQ1_M:   gemvIQ1_MDotProd,
	quant.IQ2_XXS: gemvIQ2_XXSDotProd,
	quant.IQ2_XS:  gemvIQ2_XSDotProd,
	quant.IQ2_S:   gemvIQ2_SDotProd,
	quant.IQ3_XXS: gemvIQ3_XXSDotProd,
	quant.IQ3_S:   gemvIQ3_SDotProd,
	quant.Q2_K:    gemvQ2_KDotProd,
	quant.Q3_K:    gemvQ3_KDotProd,
	quant.IQ4_NL:  gemvIQ4_NLDotProd,
	quant.IQ4_XS:  gemvIQ4_XSDotProd,
	quant.MXFP4:   gemvMXFP4DotProd,
	quant.NVFP4:   gemvNVFP4DotProd,
	quant.TQ1_0:   gemvTQ1_0DotProd,
	quant.TQ2_0:   gemvTQ2_0DotProd,
	quant.Q1_0:    gemvQ1_0DotProd,
	quant.Q2_0:    gemvQ2_0DotProd,
}

//go:noescape
func gemvQ8_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ8_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ4_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ4_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ4_1NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ4_1DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ5_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ5_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ5_1NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ5_1DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ4_KNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ4_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ5_KNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ5_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ6_KNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ6_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ1_SNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ1_SDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ1_MNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ1_MDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ2_XXSNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ2_XXSDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ2_XSNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ2_XSDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ2_SNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ2_SDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ3_XXSNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ3_XXSDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ3_SNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ3_SDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
