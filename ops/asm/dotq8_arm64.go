//go:build !purego

package asm

// dotQ8NEON is dotQ8Generic of that many rows of groups, at least one of each.
//
//go:noescape
func dotQ8NEON(dst *float32, q *int8, scale, c *float32, rows, groups int)
