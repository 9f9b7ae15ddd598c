//go:build !purego

package asm

import (
	"golang.org/x/sys/cpu"

	"github.com/normswap/normswap/quant"
)

var useNEON, useDotProd, useI8MM bool

// Advanced SIMD is part of the arm64 baseline; its switch exists for tests.
var tiers = []tier{
	{"neon", true, &useNEON, kernelsNEON(gemvsNEON, gemmNEON, gemmMinNEON, gemmSub16NEON, gemmSub16MinNEON)},
	{"dotprod", cpu.ARM64.HasASIMDDP, &useDotProd, kernelsNEON(gemvsDotProd, gemmDotProd, gemmMinDotProd, gemmSub16DotProd, gemmSub16MinDotProd)},
	{"i8mm", cpu.ARM64.HasASIMDDP && cpu.ARM64.HasI8MM, &useI8MM, kernelsNEON(gemvsDotProd, gemmI8MM, gemmMinI8MM, gemmSub16I8MM, gemmSub16MinI8MM)},
}

// kernelsNEON returns the table of a tier, given what differs: the products of
// one row, and those of panels with groups of 32, of 32 and a min, of 16, and of 16
// and a min.
func kernelsNEON(gemvs [types]gemvKernel, group32, group32Min, group16, group16Min gemmKernel) kernels {
	k := kernels{
		floats: [types]floatKernels{
			quant.F32:  {nil, gemvF32NEON},
			quant.F16:  {widenF16NEON, gemvF16NEON},
			quant.BF16: {widenBF16NEON, gemvBF16NEON},
		},
		quantize:  quantizeNEON,
		transpose: transpose4,
		dotQ8:     dotQ8NEON,
		epilogue:  epilogue4,
		gemmFloat: gemmFloat,
		addFloats: addFloatsNEON,
		activations: [numActivations]activationKernels{
			GELU:    activation4(geluNEON, GELU),
			GELUErf: activation4(geluErfNEON, GELUErf),
			SiLU:    activation4(siluNEON, SiLU),
			ReLU:    activation4(reluNEON, ReLU),
			ReLU2:   activation4(relu2NEON, ReLU2),
		},
	}
	for t, gemv := range gemvs {
		w := &weightTypes[t]
		if gemv == nil {
			continue
		}
		product, sum := gemm(group32), sumColumnsNEON
		switch {
		case w.Group == 16 && w.HasMin():
			product, sum = gemmHalfSums(group16Min), sumColumnsSub16MinNEON
		case w.Group == 16:
			product, sum = gemm(group16), sumColumnsSub16NEON
		case w.HasMin():
			product, sum = gemm(group32Min), sumColumnsMinNEON
		}
		k.ints[t] = intKernels{
			gemv:       gemv,
			unpack:     unpack(unpacksNEON[t]),
			gemm:       product,
			sumColumns: sumColumns(sum, w.Group),
		}
		if w.Codebook != nil {
			k.ints[t] = k.ints[t].lookingUp()
		}
	}
	return k
}
