package ops

import "github.com/normswap/normswap/ops/asm"

// Softmax replaces x by exp(x-max(x)) / sum(exp(x-max(x))). An element of
// -Inf becomes 0; if all are, or if one is NaN or +Inf, the result is NaN.
func Softmax(x []float32) {
	if len(x) == 0 {
		return
	}
	asm.Scale(x, x, float32(1/asm.ExpSum(x, asm.Max(x))))
}
