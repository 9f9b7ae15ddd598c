package gguf

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/normswap/normswap/quant"
)

// Limits of the format and of this package.
const (
	maxKey       = 1<<16 - 1 // bytes of a key
	maxName      = 64        // bytes of a tensor's name
	maxDims      = 4
	maxAlignment = 1 << 24
)

// A size is a number of bytes or values on its way from a file: a sum or
// product of untrusted numbers. It sticks at overflow, so that a calculation
// is checked once, at its end.
type size uint64

const overflow size = math.MaxUint64

func (a size) times(b size) size {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if a == overflow || b == overflow || hi != 0 {
		return overflow
	}
	return size(lo)
}

func (a size) plus(b size) size {
	sum, carry := bits.Add64(uint64(a), uint64(b), 0)
	if carry != 0 {
		return overflow
	}
	return size(sum)
}

// padded rounds a up to a multiple of the alignment, a power of two.
func (a size) padded(alignment int) size {
	b := a.plus(size(alignment - 1))
	if b == overflow {
		return overflow
	}
	return b &^ size(alignment-1)
}

// int returns a as an int, false if it is too large for one.
func (a size) int() (int, bool) {
	return int(a), a <= math.MaxInt
}

// tensorSize returns the bytes that a tensor takes, 0 if its type is unknown.
// It checks what the format asks of a shape: one to four extents whose product
// does not overflow, even when one of them is 0, and rows of whole blocks.
func tensorSize(t quant.Type, dims []uint64) (int, error) {
	if len(dims) < 1 || len(dims) > maxDims {
		return 0, fmt.Errorf("number of dimensions is %d, want 1 to %d", len(dims), maxDims)
	}
	product, rows := size(1), size(1)
	for i, d := range dims {
		product = product.times(max(size(d), 1))
		if i > 0 {
			rows = rows.times(size(d))
		}
	}
	if _, ok := product.int(); !ok {
		return 0, fmt.Errorf("shape %v overflows", dims)
	}
	if _, known := t.Format(); !known {
		return 0, nil
	}
	row, err := t.RowBytes(int(dims[0]))
	if err != nil {
		return 0, err
	}
	n, ok := rows.times(size(row)).int()
	if !ok {
		return 0, fmt.Errorf("size of shape %v in %v overflows", dims, t)
	}
	return n, nil
}

// alignment returns the alignment that the metadata gives.
func alignment(m *Meta) (int, error) {
	v, ok := m.Lookup(keyAlignment)
	if !ok {
		return DefaultAlignment, nil
	}
	a, ok := v.(uint32)
	if !ok {
		return 0, fmt.Errorf("key %q is %s, want a uint32", keyAlignment, describe(v))
	}
	if bits.OnesCount32(a) != 1 || a > maxAlignment {
		return 0, fmt.Errorf("key %q is %d, want a power of two up to %d", keyAlignment, a, maxAlignment)
	}
	return int(a), nil
}
