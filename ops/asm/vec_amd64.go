//go:build !purego

package asm

func largest(x []float32) float32 {
	switch {
	case useAVX512:
		return maxAVX512(x)
	case useAVX2:
		return maxAVX2(x)
	}
	return maxGeneric(x)
}

func expSum(x []float32, m float32) float64 {
	switch {
	case useAVX512:
		return expSumAVX512(x, m)
	case useAVX2:
		return expSumAVX2(x, m)
	}
	return expSumGeneric(x, m)
}

func scale(dst, x []float32, s float32) {
	switch {
	case useAVX512:
		scaleAVX512(dst, x, s)
	case useAVX2:
		scaleAVX2(dst, x, s)
	default:
		scaleGeneric(dst, x, s)
	}
}
