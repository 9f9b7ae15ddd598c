// Package ggufbuild writes GGUF files for tests, well-formed or not: it knows
// the layout and checks nothing.
package ggufbuild

import (
	"encoding/binary"
	"fmt"
)

// Bytes appends the parts: numbers and slices of numbers in little-endian
// order, a string as its uint64 length and bytes, a [][]byte piece by piece. An
// untyped constant is an int, which is refused so that no width is guessed.
func Bytes(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b = binary.LittleEndian.AppendUint64(b, uint64(len(p)))
			b = append(b, p...)
		case [][]byte:
			for _, q := range p {
				b = append(b, q...)
			}
		default:
			var err error
			if b, err = binary.Append(b, binary.LittleEndian, p); err != nil {
				panic(fmt.Sprintf("ggufbuild: %T: %v", p, err))
			}
		}
	}
	return b
}

// Header returns the first 24 bytes of a file.
func Header(version uint32, tensors, pairs uint64) []byte {
	return Bytes([]byte("GGUF"), version, tensors, pairs)
}

// Pair returns a key-value pair of the given kind, 0 to 12. The value of an
// array starts with the kind and number of its elements.
func Pair(key string, kind uint32, value ...any) []byte {
	return Bytes(key, kind, Bytes(value...))
}

// Tensor returns the description of a tensor.
func Tensor(name string, typ uint32, offset uint64, dims ...uint64) []byte {
	return Bytes(name, uint32(len(dims)), dims, typ, offset)
}

// File returns a file of version 3 with the alignment 32.
func File(pairs, tensors [][]byte, data []byte) []byte {
	b := Bytes(Header(3, uint64(len(tensors)), uint64(len(pairs))), pairs, tensors)
	return append(Pad(b, 32), data...)
}

// Pad appends zeros up to a multiple of the alignment.
func Pad(b []byte, alignment int) []byte {
	for len(b)%alignment != 0 {
		b = append(b, 0)
	}
	return b
}
