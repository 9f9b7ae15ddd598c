package gguf

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/normswap/normswap/quant"
)

const (
	magic        = "GGUF"
	keyAlignment = "general.alignment"
)

// Parse reads a file that is in memory. Tensors are views of data, which must
// not change while the file is in use. A part of a split model is read as it
// is; only [Open] follows the others.
func Parse(data []byte) (*File, error) {
	f, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return f, nil
}

func parse(data []byte) (*File, error) {
	return (&reader{data: data, size: len(data)}).file()
}

func (r *reader) file() (*File, error) {
	f := &File{byName: make(map[string]int)}
	tensors, pairs := r.header(f)
	for ; r.err == nil && pairs > 0; pairs-- {
		r.pair(&f.Meta)
	}
	if r.err == nil {
		var err error
		if f.Alignment, err = alignment(&f.Meta); err != nil {
			r.fail(r.off, err.Error(), nil)
		}
	}
	var places []place
	for ; r.err == nil && tensors > 0; tensors-- {
		places = append(places, r.tensor(f))
	}
	if r.err == nil {
		r.bind(f, places)
	}
	if r.err != nil {
		return nil, r.err
	}
	return f, nil
}

// A reader takes values from the front of data. After the first error it
// returns zeros.
type reader struct {
	data []byte
	size int  // of the file, of which data may be the beginning
	more bool // data end before what was to be read
	off  int
	in   string // what is being read, for errors: "key" or "tensor", if any
	name string // and its name
	err  error
}

func (r *reader) fail(off int, what string, val any) {
	if r.err != nil {
		return
	}
	if r.in != "" {
		what = fmt.Sprintf("%s %s: %s", r.in, quote(r.name), what)
	}
	r.err = &FormatError{Off: int64(off), What: what, Val: val}
}

// left returns the number of bytes not yet read.
func (r *reader) left() size { return size(r.size - r.off) }

// take returns the next n bytes. All reading goes through it, and allocation
// comes after it, so that no length goes unchecked.
func (r *reader) take(n size, what string) []byte {
	if r.err != nil {
		return nil
	}
	if n > r.left() {
		r.fail(r.off, fmt.Sprintf("file ends within %s, which needs %d bytes, %d are left", what, n, r.left()), nil)
		return nil
	}
	if n > size(len(r.data)-r.off) {
		r.more = true
		r.fail(r.off, "more is to be read", nil)
		return nil
	}
	b := r.data[r.off : r.off+int(n)]
	r.off += int(n)
	return b
}

func (r *reader) uint32(what string) uint32 {
	if b := r.take(4, what); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64(what string) uint64 {
	if b := r.take(8, what); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// string reads a string of 1 to most bytes.
func (r *reader) string(what string, most uint64) string {
	off, n := r.off, r.uint64("the length of a string")
	if r.err == nil && (n < 1 || n > most) {
		r.fail(off, fmt.Sprintf("length of %s is not 1 to %d", what, most), n)
	}
	return string(r.take(size(n), what))
}

// header reads up to the first pair.
func (r *reader) header(f *File) (tensors, pairs uint64) {
	if m := r.take(4, "the magic number"); m != nil && string(m) != magic {
		r.fail(0, fmt.Sprintf("not a GGUF file: it does not start with %q but", magic), string(m))
	}
	f.Version = r.uint32("the version")
	if v := f.Version; r.err == nil && v != 2 && v != 3 {
		if w := bits.ReverseBytes32(v); w == 2 || w == 3 {
			r.fail(4, "big-endian file, only little-endian ones can be read; version", w)
		}
		r.fail(4, "unknown version, want 2 or 3", v)
	}
	// At least: a name of one byte, one extent, type and offset; a key of one
	// byte and a value of one byte.
	tensors = r.count("tensors", 8+1+4+8+4+8)
	pairs = r.count("key-value pairs", 8+1+4+1)
	return tensors, pairs
}

// count reads a number of things, each of at least so many bytes.
func (r *reader) count(what string, least size) uint64 {
	off, n := r.off, r.uint64("the number of "+what)
	if r.err == nil && size(n).times(least) > r.left() {
		r.fail(off, "more "+what+" than the file has room for", n)
	}
	return n
}

func (r *reader) pair(m *Meta) {
	off := r.off
	key := r.string("a key", maxKey)
	if _, ok := m.Lookup(key); ok && r.err == nil {
		r.fail(off, "duplicate key", key)
	}
	if r.err != nil {
		return
	}
	r.in, r.name = "key", key
	v := r.value()
	r.in = ""
	if r.err == nil {
		m.add(key, v)
	}
}

// A place is where a tensor's description says that its data lie.
type place struct {
	at    int    // where the offset is in the file, for errors
	off   uint64 // from the start of the data
	bytes int    // 0 if the type is unknown
}

// tensor reads a description. Its data are bound later, when it is known where
// they start.
func (r *reader) tensor(f *File) (p place) {
	off := r.off
	name := r.string("the name of a tensor", maxName)
	if _, ok := f.byName[name]; ok && r.err == nil {
		r.fail(off, "duplicate tensor", name)
	}
	if r.err != nil {
		return
	}
	r.in, r.name = "tensor", name
	off = r.off
	n := r.uint32("the number of dimensions")
	if r.err == nil && (n < 1 || n > maxDims) {
		r.fail(off, fmt.Sprintf("number of dimensions is not 1 to %d", maxDims), n)
		return
	}
	var buf [maxDims]uint64
	extents := buf[:n]
	for i := range extents {
		extents[i] = r.uint64("an extent")
	}
	typ := quant.Type(r.uint32("the type"))
	bytes, err := tensorSize(typ, extents)
	if err != nil {
		r.fail(off, err.Error(), nil)
	}
	p = place{at: r.off, off: r.uint64("the offset"), bytes: bytes}
	if p.off%uint64(f.Alignment) != 0 {
		r.fail(p.at, fmt.Sprintf("offset is not a multiple of %d", f.Alignment), p.off)
	}
	r.in = ""
	if r.err != nil {
		return
	}
	dims := make([]int, n)
	for i, e := range extents {
		dims[i] = int(e)
	}
	f.byName[name] = len(f.Tensors)
	f.Tensors = append(f.Tensors, Tensor{Name: name, Type: typ, Dims: dims})
	return p
}

// bind gives the tensors their data and checks that these lie in the file and
// do not overlap.
func (r *reader) bind(f *File, places []place) {
	start := size(r.off).padded(f.Alignment)
	for i, p := range places {
		t := &f.Tensors[i]
		begin := start.plus(size(p.off))
		end := begin.plus(size(p.bytes))
		if end > size(r.size) {
			r.fail(p.at, fmt.Sprintf("tensor %s: data end at byte %d, beyond the end of the file at %d; offset", quote(t.Name), end, r.size), p.off)
			if e, ok := r.err.(*FormatError); ok {
				e.Cut = true
			}
			return
		}
		t.Offset = int64(begin)
		if t.Err() == nil && end <= size(len(r.data)) {
			t.Data = r.data[begin:end:end]
		}
	}
	order := make([]int, len(places))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(places[a].off, places[b].off), cmp.Compare(places[a].bytes, places[b].bytes))
	})
	for i := 1; i < len(order); i++ {
		a, b := order[i-1], order[i]
		if places[a].off+uint64(places[a].bytes) > places[b].off {
			r.fail(places[b].at, fmt.Sprintf("tensor %s: data overlap those of %s; offset",
				quote(f.Tensors[b].Name), quote(f.Tensors[a].Name)), places[b].off)
			return
		}
	}
}
