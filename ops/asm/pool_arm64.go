//go:build !purego

package asm

//go:noescape
func pause()
