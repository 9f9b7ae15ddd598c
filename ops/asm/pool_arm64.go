//go:build !purego

package asm

//go:noescape
func pause()

// fetchRows fetches what is at p and at the same place of the rows after it,
// stride elements apart.
//
//go:noescape
func fetchRows(p *float32, stride, rows int)
