//go:build !purego

package asm

// A gemvKernel is gemvGeneric of so many rows, at least one.
type gemvKernel func(dst *float32, w *byte, stride, rows, groups int, a *Eight)

// gemvKernels has two of each: the second is for the tier dotprod.
var gemvKernels = [formats][2]gemvKernel{
	Q8_0: {gemvQ8_0NEON, gemvQ8_0DotProd},
	Q4_0: {gemvQ4_0NEON, gemvQ4_0DotProd},
	Q4_1: {gemvQ4_1NEON, gemvQ4_1DotProd},
	Q5_0: {gemvQ5_0NEON, gemvQ5_0DotProd},
	Q5_1: {gemvQ5_1NEON, gemvQ5_1DotProd},
	Q4_K: {gemvQ4_KNEON, gemvQ4_KDotProd},
	Q5_K: {gemvQ5_KNEON, gemvQ5_KDotProd},
	Q6_K: {gemvQ6_KNEON, gemvQ6_KDotProd},
}

//go:noescape
func gemvQ8_0NEON(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ8_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ4_0NEON(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ4_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ4_1NEON(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ4_1DotProd(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ5_0NEON(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ5_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ5_1NEON(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ5_1DotProd(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ4_KNEON(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ4_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ5_KNEON(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ5_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ6_KNEON(dst *float32, w *byte, stride, rows, groups int, a *Eight)

//go:noescape
func gemvQ6_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *Eight)

func gemv(f Format, dst []float32, w []byte, stride, groups int, a []Eight) {
	if !useNEON || len(dst) == 0 || groups == 0 {
		gemvGeneric(f, dst, w, stride, groups, a)
		return
	}
	kernel := gemvKernels[f][0]
	if useDotProd {
		kernel = gemvKernels[f][1]
	}
	kernel(&dst[0], &w[0], stride, len(dst), groups, &a[0])
}
