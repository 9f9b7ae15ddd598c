//go:build !purego

package asm

// DiffSum returns the sum of x[i]-c.
func DiffSum(x []float32, c float32) float64 {
	if useAVX512 {
		return diffSumAVX512(x, c)
	}
	if useAVX2 {
		return diffSumAVX2(x, c)
	}
	return diffSumGeneric(x, c)
}

// DiffSquares returns the sum of (x[i]-c)*(x[i]-c).
func DiffSquares(x []float32, c float32) float64 {
	var s float64
	switch {
	case useAVX512:
		s = diffSquaresAVX512(x, c)
	case useAVX2:
		s = diffSquaresAVX2(x, c)
	}
	if inRange(s) {
		return s
	}
	return diffSquaresGeneric(x, c)
}

// AddDiffSum sets x[i] += y[i]-shift and returns the sum of x[i]-c.
// len(y) is len(x).
func AddDiffSum(x, y []float32, shift, c float32) float64 {
	if useAVX512 {
		return addDiffSumAVX512(x, y, shift, c)
	}
	if useAVX2 {
		return addDiffSumAVX2(x, y, shift, c)
	}
	return addDiffSumGeneric(x, y, shift, c)
}

// AddSquares sets x[i] += y[i]-shift and returns the sum of x[i]*x[i].
// len(y) is len(x).
func AddSquares(x, y []float32, shift float32) float64 {
	var s float64
	switch {
	case useAVX512:
		s = addSquaresAVX512(x, y, shift)
	case useAVX2:
		s = addSquaresAVX2(x, y, shift)
	default:
		return addSquaresGeneric(x, y, shift)
	}
	if inRange(s) {
		return s
	}
	return diffSquaresGeneric(x, 0)
}

// Normalize sets dst[i] = ((x[i]-c)*scale + offset)*gain[i] + bias[i]. A nil
// gain is 1, a nil bias 0; otherwise their length is len(x), as is len(dst).
// dst may be x.
func Normalize(dst, x, gain, bias []float32, c, scale, offset float32) {
	switch {
	case !useAVX2 || gain == nil && bias != nil:
		normalizeGeneric(dst, x, gain, bias, c, scale, offset)
	case useAVX512 && bias != nil:
		normalizeGainBiasAVX512(dst, x, gain, bias, c, scale, offset)
	case useAVX512 && gain != nil:
		normalizeGainAVX512(dst, x, gain, c, scale, offset)
	case useAVX512:
		normalizeAVX512(dst, x, c, scale, offset)
	case bias != nil:
		normalizeGainBiasAVX2(dst, x, gain, bias, c, scale, offset)
	case gain != nil:
		normalizeGainAVX2(dst, x, gain, c, scale, offset)
	default:
		normalizeAVX2(dst, x, c, scale, offset)
	}
}
