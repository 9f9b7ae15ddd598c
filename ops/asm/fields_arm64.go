//go:build !purego

package asm

//go:noescape
func gemvQ2_KNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ2_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ3_KNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ3_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ4_NLNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ4_NLDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ4_XSNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvIQ4_XSDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvMXFP4NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvMXFP4DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvNVFP4NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvNVFP4DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvTQ1_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvTQ1_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvTQ2_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvTQ2_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ1_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ1_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ2_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func gemvQ2_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)

//go:noescape
func unpackQ2_KNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ3_KNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackIQ4_NLNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackIQ4_XSNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackMXFP4NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackNVFP4NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackTQ1_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackTQ2_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ1_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ2_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
