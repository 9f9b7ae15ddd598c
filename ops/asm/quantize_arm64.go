//go:build !purego

package asm

// quantizeNEON is quantizeGeneric of that many groups, at least one.
//
//go:noescape
func quantizeNEON(q *int8, scale, scaledSum *float32, sum, halfSum *int32, x *float32, groups int)
