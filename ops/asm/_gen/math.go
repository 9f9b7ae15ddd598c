package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// full returns where in read-only data a register full of the float32 is.
func full(f float32) Mem { return fullBits(math.Float32bits(f)) }

var fulls = map[uint32]Mem{}

func fullBits(bits uint32) Mem {
	m, ok := fulls[bits]
	if !ok {
		m = GLOBL(fmt.Sprintf("full_%08x", bits), rodata)
		for i := range avx512.lanes {
			DATA(4*i, U32(bits))
		}
		fulls[bits] = m
	}
	return m
}

// fullOf returns a register full of the float32.
func (t isa) fullOf(f float32) vector {
	v := t.reg()
	VMOVUPS(full(f), v)
	return v
}

const signBit = 1 << 31

// Bounds of the argument of exp: beyond them the result is 0 or +Inf.
const (
	expLow  = -104
	expHigh = 89
)

// The coefficients of r^2 ... r^6 in exp(r) for |r| <= ln(2)/2, those of r^0
// and r^1 being 1: the Remez fit of relative error 0.05 * 2^-24.
var expCoefficients = [...]float32{0.4999999343817219, 0.1666652018238994, 0.041668389167537984, 0.008368773494570304, 0.0013814706848492319}

// atLeast emits x = max(x, f), NaN if x is.
func (t isa) atLeast(x vector, f float32) {
	VMAXPS(x, t.fullOf(f), x) // of two operands, one of them NaN, the first
}

// exp emits exp(x) for x >= expLow and returns its register. x is used up.
//
// With n = round(x/ln 2) and r = x - n*ln 2, exp(x) = 2^n * exp(r).
func (t isa) exp(x vector) vector {
	VMINPS(x, t.fullOf(expHigh), x)
	n, p, square := t.reg(), t.reg(), t.reg()
	VMULPS(full(math.Log2E), x, n)
	if t == avx512 {
		VRNDSCALEPS(U8(0), n, n)
	} else {
		VROUNDPS(U8(0), n, n)
	}
	high := float32(math.Ln2)
	VFNMADD231PS(full(high), n, x)
	VFNMADD231PS(full(float32(math.Ln2-float64(high))), n, x)
	t.polynomial(p, x, expCoefficients[:])
	VMULPS(x, x, square)
	VFMADD213PS(x, square, p)
	VADDPS(full(1), p, p)
	if t == avx512 {
		VSCALEFPS(n, p, p)
		return p
	}
	// 2^n in two factors, for the ends of the range
	half := t.reg()
	VCVTPS2DQ(n, n)
	VPSRAD(U8(1), n, half)
	VPSUBD(half, n, n)
	for _, e := range []vector{half, n} {
		VPADDD(fullBits(127), e, e)
		VPSLLD(U8(23), e, e)
		VMULPS(e, p, p)
	}
	return p
}

// polynomial emits p = c[0] + c[1]*x + c[2]*x^2 ...
func (t isa) polynomial(p, x vector, c []float32) {
	last := len(c) - 1
	VMOVUPS(full(c[last]), p)
	for i := last - 1; i >= 0; i-- {
		VFMADD213PS(full(c[i]), x, p)
	}
}

// timesSigmoid emits x / (1 + exp(-v)) and uses v up, v >= expLow having the
// sign of x. With e = exp(-|v|) it is x/(1+e) where v is positive and
// x*e/(1+e) where not, which keeps its accuracy to the smallest results.
func (t isa) timesSigmoid(x, v vector) vector {
	sign := t.reg()
	VMOVAPS(v, sign)
	VORPS(fullBits(signBit), v, v)
	t.atLeast(v, expLow)
	e := t.exp(v)
	one := t.fullOf(1)
	factor := t.reg()
	if t == avx512 {
		k := K()
		VPMOVD2M(sign, k)
		VBLENDMPS(e, one, k, factor)
	} else {
		VBLENDVPS(sign, e, one, factor)
	}
	VADDPS(one, e, e)
	VMULPS(x, factor, factor)
	VDIVPS(e, factor, factor)
	return factor
}

func (t isa) silu(x vector) vector {
	t.atLeast(x, expLow)
	v := t.reg()
	VMOVAPS(x, v)
	return t.timesSigmoid(x, v)
}

// gelu emits the tanh form: x / (1 + exp(-2u)), u = sqrt(2/pi)*(x + 0.044715*x^3).
func (t isa) gelu(x vector) vector {
	t.atLeast(x, -12)
	a := 2 * math.Sqrt(2/math.Pi)
	v := t.reg()
	VMULPS(x, x, v)
	k := t.fullOf(float32(0.044715 * a))
	VFMADD213PS(full(float32(a)), k, v)
	VMULPS(x, v, v)
	return t.timesSigmoid(x, v)
}

// The coefficients of the Remez fit, of relative error 0.12 * 2^-24, to
// (t+k) * exp(t^2/2) * Phi(-t) in powers of q = (t-k)/(t+k), 0 <= t <= tailEnd.
var tailCoefficients = [...]float32{
	0.7444160741401165, -0.5655617451033499, 0.31542504874679167, -0.1160530407670644, 0.017406378107885315,
	0.006493115683111755, -0.0031753095090148705, -0.000494942783672874, 0.00042189630828510366, 0.00011068817385462476,
}

const (
	tailShift = 3.5  // k
	tailEnd   = 14.5 // Phi(-t) is 0 beyond
)

// geluErf emits x * Phi(x), with Phi(x) = 1 - Phi(-x) for positive x.
func (t isa) geluErf(x vector) vector {
	t.atLeast(x, -tailEnd)
	a, w, q := t.reg(), t.reg(), t.reg()
	VANDPS(fullBits(signBit-1), x, a)
	VMINPS(t.fullOf(tailEnd), a, a)
	VADDPS(full(tailShift), a, q)
	VDIVPS(q, t.fullOf(1), w)
	VSUBPS(full(tailShift), a, q)
	VMULPS(w, q, q)
	p := t.reg()
	t.polynomial(p, q, tailCoefficients[:])
	VMULPS(w, p, p)
	// exp(-t^2/2), the rounding of the square made good
	square, rest := t.reg(), t.reg()
	VMULPS(a, a, square)
	VMOVAPS(a, rest)
	VFMSUB213PS(square, a, rest)
	half := t.fullOf(-0.5)
	VMULPS(half, square, square)
	VMULPS(half, rest, rest)
	t.atLeast(square, expLow)
	e := t.exp(square)
	VFMADD213PS(e, e, rest)
	VMULPS(rest, p, p)
	// p is Phi(-|x|)
	upper, y := t.fullOf(1), t.reg()
	VSUBPS(p, upper, upper)
	if t == avx512 {
		k := K()
		VPMOVD2M(x, k)
		VBLENDMPS(p, upper, k, y)
	} else {
		VBLENDVPS(x, p, upper, y)
	}
	VMULPS(x, y, y)
	return y
}

func (t isa) relu(x vector) vector {
	t.atLeast(x, 0)
	return x
}

func (t isa) relu2(x vector) vector {
	t.atLeast(x, 0)
	VMULPS(x, x, x)
	return x
}

// tanh emits tanh(x) = (1 - e)/(1 + e) with e = exp(-2|x|), and the sign of x.
func (t isa) tanh(x vector) vector {
	v, sign := t.reg(), t.reg()
	VANDPS(fullBits(signBit), x, sign)
	VORPS(fullBits(signBit), x, v)
	VADDPS(v, v, v)
	t.atLeast(v, expLow)
	e, one := t.exp(v), t.fullOf(1)
	y := t.reg()
	VSUBPS(e, one, y)
	VADDPS(one, e, e)
	VDIVPS(e, y, y)
	VORPS(sign, y, y)
	return y
}
