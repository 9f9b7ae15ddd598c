// Package gguf reads and writes GGUF files: typed metadata and tensors in the
// formats of package quant. Begin with [Open], [Get] and [File.Tensor]; with
// [NewWriter] or [Write] for a file of one's own.
//
// A file is a header, key-value pairs, tensor descriptions, and aligned tensor
// data, all little-endian:
//
//	"GGUF"  uint32 version  uint64 tensors  uint64 pairs
//	pairs:    string key  uint32 kind  value
//	tensors:  string name  uint32 n  n × uint64 extent  uint32 type  uint64 offset
//	padding to the alignment, then the data that the offsets count from
//
// A string is a uint64 length and its bytes; an array is the uint32 kind of
// its elements, a uint64 count, and the elements.
//
// Files come from strangers. Whatever the bytes, [Open] and [Parse] return a
// file whose every tensor lies within it, or an error that says what is wrong
// at which byte; they allocate no more than a small multiple of the bytes that
// are there. The specification is docs/gguf.md in github.com/ggml-org/ggml.
package gguf

import (
	"fmt"
	"os"
	"slices"

	"github.com/normswap/normswap/quant"
)

// DefaultAlignment holds for files without the key general.alignment.
const DefaultAlignment = 32

// A File is a model: what its metadata says, and its tensors. It may be read
// by any number of goroutines.
type File struct {
	Version   uint32 // 2 or 3
	Alignment int    // of tensor data, in bytes; a power of two
	Meta      Meta
	Tensors   []Tensor // in the order of the file

	// Paths names the files that were opened, more than one if the model is
	// split. It is empty after Parse.
	Paths  []string
	opened []os.FileInfo // of Paths, when they were opened

	byName   map[string]int // nil in a File that was made by hand
	mappings []mapping
}

// A Tensor is a view of the file's bytes.
type Tensor struct {
	Name   string
	Type   quant.Type
	Dims   []int  // extents, innermost (the length of a row) first
	Offset int64  // of Data in its file
	Data   []byte // read-only; nil if the type is unknown, see Err, and after ReadHeader
}

// Tensor returns the tensor of that name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	if f.byName != nil {
		if i, ok := f.byName[name]; ok {
			return &f.Tensors[i], true
		}
		return nil, false
	}
	i := slices.IndexFunc(f.Tensors, func(t Tensor) bool { return t.Name == name })
	if i < 0 {
		return nil, false
	}
	return &f.Tensors[i], true
}

// Items returns the number of values, the product of the extents.
func (t *Tensor) Items() int {
	n := 1
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// Size returns the bytes of the values; 0 if the type is unknown, see Err.
func (t *Tensor) Size() int {
	dims := make([]uint64, len(t.Dims))
	for i, d := range t.Dims {
		dims[i] = uint64(d)
	}
	n, _ := tensorSize(t.Type, dims) // of a file that was read there is no error
	return n
}

// Err returns nil if the values of t can be read. Otherwise the type of t is
// unknown, which is no fault in a file until somebody needs the tensor: then
// this is the error to report.
func (t *Tensor) Err() error {
	if _, ok := t.Type.Format(); !ok {
		return fmt.Errorf("gguf: tensor %q has unknown %v", t.Name, t.Type)
	}
	return nil
}

// Float32s returns a copy of the values as float32, rows after one another.
func (t *Tensor) Float32s() ([]float32, error) {
	if err := t.Err(); err != nil {
		return nil, err
	}
	x := make([]float32, t.Items())
	if err := quant.Decode(x, t.Type, t.Data); err != nil {
		return nil, fmt.Errorf("gguf: tensor %q: %w", t.Name, err)
	}
	return x, nil
}

// Close releases the mapping. Tensors must not be used after it; metadata may.
func (f *File) Close() error {
	var first error
	for _, m := range f.mappings {
		if err := m.unmap(); err != nil && first == nil {
			first = fmt.Errorf("gguf: %w", err)
		}
	}
	f.mappings = nil
	for i := range f.Tensors {
		f.Tensors[i].Data = nil
	}
	return first
}

// A FormatError says what is wrong with the bytes of a file, and where.
type FormatError struct {
	Off  int64  // byte offset of what is wrong
	What string // such as "unknown version"
	Val  any    // the value in question, or nil
	Cut  bool   // the file ends before the data of its tensors do
}

func (e *FormatError) Error() string {
	switch v := e.Val.(type) {
	case nil:
		return fmt.Sprintf("%s, at byte %d", e.What, e.Off)
	case string:
		return fmt.Sprintf("%s %s, at byte %d", e.What, quote(v), e.Off)
	default:
		return fmt.Sprintf("%s: %v, at byte %d", e.What, v, e.Off)
	}
}

// quote quotes the start of a string that a file holds: it may be a megabyte,
// or not be text.
func quote(s string) string {
	if len(s) > maxName {
		return fmt.Sprintf("%q...", s[:maxName])
	}
	return fmt.Sprintf("%q", s)
}
