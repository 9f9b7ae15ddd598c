//go:build !purego

package asm

import "unsafe"

// A gemmKernel is gemmGeneric of that many columns, whole groups of 32, at least
// one.
type gemmKernel func(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

func gemm(kernel gemmKernel) panelProduct {
	return func(c *Tile, p Panel, a Q8Panel, columns int, ahead []byte, s *Chains) {
		Fetch(ahead)
		kernel(&c[0], &p.Q[0], &p.Scale[0], &p.Min[0], &a.Q[0], &a.Scale[0], &a.ScaledSum[0], columns, s)
	}
}

// gemmHalfSums is gemm of a kernel that takes half sums for the sums, times the
// scales.
func gemmHalfSums(kernel gemmKernel) panelProduct {
	return func(c *Tile, p Panel, a Q8Panel, columns int, ahead []byte, s *Chains) {
		Fetch(ahead)
		kernel(&c[0], &p.Q[0], &p.Scale[0], &p.Min[0], &a.Q[0], &a.Scale[0], (*float32)(unsafe.Pointer(&a.HalfSum[0])), columns, s)
	}
}

//go:noescape
func gemmNEON(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

//go:noescape
func gemmMinNEON(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

//go:noescape
func gemmSub16NEON(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

//go:noescape
func gemmDotProd(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

//go:noescape
func gemmMinDotProd(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

//go:noescape
func gemmSub16DotProd(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

//go:noescape
func gemmI8MM(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

//go:noescape
func gemmMinI8MM(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

//go:noescape
func gemmSub16I8MM(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

//go:noescape
func gemmSub16MinNEON(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

//go:noescape
func gemmSub16MinDotProd(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)

//go:noescape
func gemmSub16MinI8MM(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
