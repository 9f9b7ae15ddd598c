// Package quant is the table of GGUF tensor types: how many values a block of
// each holds, in how many bytes, and what the bytes mean: [Decode] and [Encode].
//
// The code here is the definition. It is plain Go, written to be read next to
// the layout comments, and it decodes every type to exactly the values that
// ggml's reference decoder gives. Kernels elsewhere are held against it.
//
// The layouts are those of ggml (ggml-common.h and ggml-quants.c in
// llama.cpp). All multi-byte fields are little-endian. In the layout comments
// x[i] is the value at position i of a block, d and m are half-precision
// scales, and "16 B" counts bytes.
package quant

import (
	"fmt"
	"math"
	"strings"
)

// Type is a ggml tensor type, by the number that GGUF files store.
type Type uint32

// The types that GGUF files may hold. The gaps are types that ggml removed
// (4, 5, 31 to 33, 36 to 38) or never writes to files (Q8_1 is 9, Q8_K is 15).
const (
	F32     Type = 0
	F16     Type = 1
	Q4_0    Type = 2
	Q4_1    Type = 3
	Q5_0    Type = 6
	Q5_1    Type = 7
	Q8_0    Type = 8
	Q2_K    Type = 10
	Q3_K    Type = 11
	Q4_K    Type = 12
	Q5_K    Type = 13
	Q6_K    Type = 14
	IQ2_XXS Type = 16
	IQ2_XS  Type = 17
	IQ3_XXS Type = 18
	IQ1_S   Type = 19
	IQ4_NL  Type = 20
	IQ3_S   Type = 21
	IQ2_S   Type = 22
	IQ4_XS  Type = 23
	I8      Type = 24
	I16     Type = 25
	I32     Type = 26
	I64     Type = 27
	F64     Type = 28
	IQ1_M   Type = 29
	BF16    Type = 30
	TQ1_0   Type = 34
	TQ2_0   Type = 35
	MXFP4   Type = 39
	NVFP4   Type = 40
	Q1_0    Type = 41
	Q2_0    Type = 42
)

// A Format describes the blocks of a type. A row of a tensor is a whole
// number of blocks.
type Format struct {
	Name  string
	Items int // values in a block
	Bytes int // bytes of a block
}

// codec is a row of the table: a format and what to do with its blocks.
type codec struct {
	Format
	decode func(dst []float32, src []byte) // whole blocks, lengths checked
	encode func(dst []byte, src []float32) // whole blocks, lengths and magnitudes checked; nil if there is none
	limit  float32                         // the largest magnitude that encode takes; 0 for anything, NaN included
	layout *Layout                         // nil if the values are not linear in an integer, or no kernel reads them so
}

// maxHalf is the largest finite half-precision number. Every block format
// with a half-precision scale holds values up to it, and some above.
const maxHalf = 65504

// maxBF16 is the largest finite bfloat16 number.
const maxBF16 = 0x1.fep127

var table = [...]codec{
	F32:  {Format{"F32", 1, 4}, decodeF32, encodeF32, 0, nil},
	F16:  {Format{"F16", 1, 2}, decodeF16, encodeF16, maxHalf, nil},
	BF16: {Format{"BF16", 1, 2}, decodeBF16, encodeBF16, maxBF16, nil},
	F64:  {Format{"F64", 1, 8}, decodeF64, nil, 0, nil},
	I8:   {Format{"I8", 1, 1}, decodeI8, nil, 0, nil},
	I16:  {Format{"I16", 1, 2}, decodeI16, nil, 0, nil},
	I32:  {Format{"I32", 1, 4}, decodeI32, nil, 0, nil},
	I64:  {Format{"I64", 1, 8}, decodeI64, nil, 0, nil},
	Q1_0: {Format{"Q1_0", 128, 18}, decodeQ1_0, nil, 0,
		&Layout{Group: 32, D: f16(0), Quants: Ints{Low: Field{2, 1, 1, 0}}, Levels: []int8{-1, 1}}},
	Q2_0: {Format{"Q2_0", 64, 18}, decodeQ2_0, nil, 0,
		&Layout{Group: 32, D: f16(0), Quants: Ints{Low: Field{2, 2, 1, 0}, Zero: 1}}},
	Q4_0: {Format{"Q4_0", 32, 18}, decodeQ4_0, encodeQ4_0, maxHalf,
		&Layout{Group: 32, D: f16(0), Quants: Ints{Low: Field{2, 4, 16, 0}, Zero: 8}}},
	Q4_1: {Format{"Q4_1", 32, 20}, decodeQ4_1, encodeQ4_1, maxHalf,
		&Layout{Group: 32, D: f16(0), M: f16(2), Quants: Ints{Low: Field{4, 4, 16, 0}}}},
	Q5_0: {Format{"Q5_0", 32, 22}, decodeQ5_0, encodeQ5_0, maxHalf,
		&Layout{Group: 32, D: f16(0), Quants: Ints{Low: Field{6, 4, 16, 0}, High: Field{2, 1, 1, 0}, Zero: 16}}},
	Q5_1: {Format{"Q5_1", 32, 24}, decodeQ5_1, encodeQ5_1, maxHalf,
		&Layout{Group: 32, D: f16(0), M: f16(2), Quants: Ints{Low: Field{8, 4, 16, 0}, High: Field{4, 1, 1, 0}}}},
	Q8_0: {Format{"Q8_0", 32, 34}, decodeQ8_0, encodeQ8_0, maxHalf,
		&Layout{Group: 32, D: f16(0), Quants: Ints{Low: Field{2, 8, 32, 0}}}},
	Q2_K: {Format{"Q2_K", 256, 84}, decodeQ2_K, nil, 0,
		&Layout{Group: 16, D: f16(80), M: f16(82), Scales: Ints{Low: Field{0, 4, 16, 0}}, Mins: Ints{Low: Field{0, 4, 16, 4}}, Quants: Ints{Low: Field{16, 2, 32, 0}}}},
	Q3_K: {Format{"Q3_K", 256, 110}, decodeQ3_K, nil, 0,
		&Layout{Group: 16, D: f16(108), Scales: Ints{Low: Field{96, 4, 8, 0}, High: Field{104, 2, 4, 0}, Zero: 32},
			Quants: Ints{Low: Field{32, 2, 32, 0}, High: Field{0, 1, 32, 0}, Zero: 4}}},
	Q4_K: {Format{"Q4_K", 256, 144}, decodeQ4_K, encodeQ4_K, maxHalf,
		&Layout{Group: 32, D: f16(0), M: f16(2), ScaleMin: Field{4, 6, 12, 0}, Quants: Ints{Low: Field{16, 4, 32, 0}}}},
	Q5_K: {Format{"Q5_K", 256, 176}, decodeQ5_K, encodeQ5_K, maxHalf,
		&Layout{Group: 32, D: f16(0), M: f16(2), ScaleMin: Field{4, 6, 12, 0}, Quants: Ints{Low: Field{48, 4, 32, 0}, High: Field{16, 1, 32, 0}}}},
	Q6_K: {Format{"Q6_K", 256, 210}, decodeQ6_K, encodeQ6_K, maxHalf,
		&Layout{Group: 16, D: f16(208), Scales: Ints{Low: Field{192, 8, 16, 0}}, Quants: Ints{Low: Field{0, 4, 64, 0}, High: Field{128, 2, 32, 0}, Zero: 32}}},
	IQ1_S:   {Format{"IQ1_S", 256, 50}, decodeIQ1_S, nil, 0, &layoutIQ1_S},
	IQ1_M:   {Format{"IQ1_M", 256, 56}, decodeIQ1_M, nil, 0, &layoutIQ1_M},
	IQ2_XXS: {Format{"IQ2_XXS", 256, 66}, decodeIQ2_XXS, nil, 0, &layoutIQ2_XXS},
	IQ2_XS:  {Format{"IQ2_XS", 256, 74}, decodeIQ2_XS, nil, 0, &layoutIQ2_XS},
	IQ2_S:   {Format{"IQ2_S", 256, 82}, decodeIQ2_S, nil, 0, &layoutIQ2_S},
	IQ3_XXS: {Format{"IQ3_XXS", 256, 98}, decodeIQ3_XXS, nil, 0, &layoutIQ3_XXS},
	IQ3_S:   {Format{"IQ3_S", 256, 110}, decodeIQ3_S, nil, 0, &layoutIQ3_S},
	IQ4_NL: {Format{"IQ4_NL", 32, 18}, decodeIQ4_NL, nil, 0,
		&Layout{Group: 32, D: f16(0), Quants: Ints{Low: Field{2, 4, 16, 0}}, Levels: iq4[:]}},
	IQ4_XS: {Format{"IQ4_XS", 256, 136}, decodeIQ4_XS, nil, 0,
		&Layout{Group: 32, D: f16(0), Scales: Ints{Low: Field{4, 4, 1, 0}, High: Field{2, 2, 1, 0}, Zero: 32}, Quants: Ints{Low: Field{8, 4, 16, 0}}, Levels: iq4[:]}},
	TQ1_0: {Format{"TQ1_0", 256, 54}, decodeTQ1_0, nil, 0,
		&Layout{Group: 32, D: f16(52), Coding: Ternary}},
	TQ2_0: {Format{"TQ2_0", 256, 66}, decodeTQ2_0, nil, 0,
		&Layout{Group: 32, D: f16(64), Quants: Ints{Low: Field{0, 2, 32, 0}, Zero: 1}}},
	MXFP4: {Format{"MXFP4", 32, 17}, decodeMXFP4, nil, 0,
		&Layout{Group: 32, D: Field{0, 8, 1, 0}, Quants: Ints{Low: Field{1, 4, 16, 0}}, Levels: e2m1[:]}},
	NVFP4: {Format{"NVFP4", 64, 36}, decodeNVFP4, nil, 0,
		&Layout{Group: 16, Scales: Ints{Low: Field{0, 8, 4, 0}}, Quants: Ints{Low: Field{4, 4, 8, 0}}, Levels: e2m1[:]}},
}

// lookup returns the type's row of the table, nil if there is none.
func (t Type) lookup() *codec {
	if int64(t) < int64(len(table)) && table[t].Items > 0 {
		return &table[t]
	}
	return nil
}

// Format returns the block format of t, false if the type is unknown.
func (t Type) Format() (Format, bool) {
	if c := t.lookup(); c != nil {
		return c.Format, true
	}
	return Format{}, false
}

// String returns the name of t as GGUF tools print it, such as "Q4_K", or
// "type 99" if the type is unknown.
func (t Type) String() string {
	if c := t.lookup(); c != nil {
		return c.Name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// ParseType returns the type of that name, in either case.
func ParseType(name string) (Type, error) {
	for t, c := range table {
		if c.Items > 0 && strings.EqualFold(c.Name, name) {
			return Type(t), nil
		}
	}
	return 0, fmt.Errorf("quant: no tensor type is named %q", name)
}

// Types returns every known type, in the order of their numbers.
func Types() []Type {
	var ts []Type
	for t, c := range table {
		if c.Items > 0 {
			ts = append(ts, Type(t))
		}
	}
	return ts
}

// RowBytes returns the bytes that a row of that many values takes. It is an
// error if the type is unknown, the row is not a whole number of blocks, or
// the size overflows an int.
func (t Type) RowBytes(items int) (int, error) {
	c := t.lookup()
	switch {
	case c == nil:
		return 0, fmt.Errorf("quant: unknown tensor %v", t)
	case items < 0 || items%c.Items != 0:
		return 0, fmt.Errorf("quant: %d values are not whole blocks of %v, which hold %d", items, t, c.Items)
	case items/c.Items > math.MaxInt/c.Bytes:
		return 0, fmt.Errorf("quant: the size of %d values in %v overflows", items, t)
	}
	return items / c.Items * c.Bytes, nil
}

// CanEncode reports whether [Encode] can write t.
func (t Type) CanEncode() bool {
	c := t.lookup()
	return c != nil && c.encode != nil
}

// Decode writes the values of the blocks in src to dst. The lengths must
// agree: src whole blocks of t, dst as many values as they hold.
func Decode(dst []float32, t Type, src []byte) error {
	want, err := t.RowBytes(len(dst))
	if err != nil {
		return err
	}
	if len(src) != want {
		return fmt.Errorf("quant: %d values in %v take %d bytes, not %d", len(dst), t, want, len(src))
	}
	table[t].decode(dst, src)
	return nil
}

// Encode writes src to dst as blocks of t, so that the error is small in the
// mean square. The lengths must agree, as for [Decode]. A value that is not a
// number or too large for the type is an error, except in F32, which holds
// anything.
func Encode(dst []byte, t Type, src []float32) error {
	want, err := t.RowBytes(len(src))
	if err != nil {
		return err
	}
	if len(dst) != want {
		return fmt.Errorf("quant: %d values in %v take %d bytes, not %d", len(src), t, want, len(dst))
	}
	c := &table[t]
	if c.encode == nil {
		return fmt.Errorf("quant: cannot encode %v, only decode it", t)
	}
	if c.limit > 0 {
		for i, x := range src {
			if !(-c.limit <= x && x <= c.limit) {
				return fmt.Errorf("quant: %v cannot hold the value %v at position %d", t, x, i)
			}
		}
	}
	c.encode(dst, src)
	return nil
}
