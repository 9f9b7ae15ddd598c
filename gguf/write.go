package gguf

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/normswap/normswap/quant"
)

// A TensorInfo describes a tensor to be written.
type TensorInfo struct {
	Name string
	Type quant.Type
	Dims []int // extents, innermost first
}

// A Writer writes a file from front to back, so that no more of it than a
// piece of a tensor need be in memory.
type Writer struct {
	w         io.Writer
	alignment int
	tensors   []TensorInfo
	sizes     []int

	next int // tensors begun
	left int // bytes that the tensor last begun still wants
	err  error
}

// NewWriter writes the header of a file with these tensors: version 3, or 2.
// Their data must follow in the same order, by [Writer.Tensor], or
// [Writer.Begin] and [Writer.Write], then [Writer.Close]. The alignment is that
// of the key general.alignment, or [DefaultAlignment].
func NewWriter(w io.Writer, version uint32, m *Meta, tensors []TensorInfo) (*Writer, error) {
	wr := &Writer{w: w, tensors: tensors}
	header, err := wr.header(version, m)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	if _, err := w.Write(header); err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return wr, nil
}

// header lays out the tensors and returns everything before their data. It
// accepts nothing that Parse would refuse.
func (w *Writer) header(version uint32, m *Meta) ([]byte, error) {
	if version != 2 && version != 3 {
		return nil, fmt.Errorf("unknown version %d, want 2 or 3", version)
	}
	var err error
	if w.alignment, err = alignment(m); err != nil {
		return nil, err
	}
	b := []byte(magic)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(w.tensors)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(m.pairs)))
	for _, kv := range m.pairs {
		if b, err = appendValue(appendString(b, kv.Key), kv.Value); err != nil {
			return nil, fmt.Errorf("key %q: %w", kv.Key, err)
		}
	}
	seen := make(map[string]bool)
	offset := size(0)
	for _, t := range w.tensors {
		n, extents, err := t.check(seen)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		b = appendString(b, t.Name)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(extents)))
		for _, e := range extents {
			b = binary.LittleEndian.AppendUint64(b, e)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(t.Type))
		b = binary.LittleEndian.AppendUint64(b, uint64(offset))
		w.sizes = append(w.sizes, n)
		offset = offset.plus(size(n)).padded(w.alignment)
		if _, ok := offset.int(); !ok {
			return nil, fmt.Errorf("tensor %q: the size of all tensors overflows", t.Name)
		}
	}
	if len(w.tensors) > 0 {
		b = append(b, make([]byte, w.padding(len(b)))...)
	}
	return b, nil
}

// check returns the size in bytes and the extents.
func (t TensorInfo) check(seen map[string]bool) (int, []uint64, error) {
	switch _, known := t.Type.Format(); {
	case len(t.Name) < 1 || len(t.Name) > maxName:
		return 0, nil, fmt.Errorf("a name has 1 to %d bytes", maxName)
	case seen[t.Name]:
		return 0, nil, fmt.Errorf("duplicate")
	case !known:
		return 0, nil, fmt.Errorf("unknown %v", t.Type)
	}
	seen[t.Name] = true
	extents := make([]uint64, len(t.Dims))
	for i, d := range t.Dims {
		extents[i] = uint64(d) // a negative one overflows
	}
	n, err := tensorSize(t.Type, extents)
	return n, extents, err
}

// padding returns the bytes from n to the next multiple of the alignment.
func (w *Writer) padding(n int) int { return -n & (w.alignment - 1) }

// Begin starts the data of the next tensor, which must be the one named.
func (w *Writer) Begin(name string) error {
	switch {
	case w.err != nil:
		return w.err
	case w.left > 0:
		return fmt.Errorf("gguf: tensor %q lacks %d bytes", w.tensors[w.next-1].Name, w.left)
	case w.next == len(w.tensors):
		return fmt.Errorf("gguf: tensor %q is one too many", name)
	case w.tensors[w.next].Name != name:
		return fmt.Errorf("gguf: tensor %q is next, not %q", w.tensors[w.next].Name, name)
	}
	w.left = w.sizes[w.next]
	w.next++
	return nil
}

// Write appends to the data of the tensor last begun. More than it has room
// for is an error, and then nothing is written.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if len(p) > w.left {
		return 0, fmt.Errorf("gguf: %d bytes of data where %d are left", len(p), w.left)
	}
	n, err := w.w.Write(p)
	w.left -= n
	if err == nil && w.left == 0 && len(p) > 0 {
		_, err = w.w.Write(make([]byte, w.padding(w.sizes[w.next-1])))
	}
	if err != nil {
		w.err = fmt.Errorf("gguf: %w", err)
	}
	return n, w.err
}

// Tensor writes a whole tensor, which must be the next.
func (w *Writer) Tensor(name string, data []byte) error {
	if err := w.Begin(name); err != nil {
		return err
	}
	if len(data) != w.left {
		return fmt.Errorf("gguf: tensor %q has %d bytes, want %d", name, len(data), w.left)
	}
	_, err := w.Write(data)
	return err
}

// Close checks that all data were written. It does not close the underlying
// writer.
func (w *Writer) Close() error {
	switch {
	case w.err != nil:
		return w.err
	case w.left > 0:
		return fmt.Errorf("gguf: tensor %q lacks %d bytes", w.tensors[w.next-1].Name, w.left)
	case w.next < len(w.tensors):
		return fmt.Errorf("gguf: tensor %q was not written", w.tensors[w.next].Name)
	}
	return nil
}

// Write writes f. A file that was opened comes out byte for byte the same,
// provided that it was laid out as llama.cpp does it: data in the order of the
// descriptions, each padded with zeros to the alignment, nothing between or
// after. Otherwise its contents come out the same in that layout.
func Write(w io.Writer, f *File) error {
	infos := make([]TensorInfo, len(f.Tensors))
	for i, t := range f.Tensors {
		infos[i] = TensorInfo{t.Name, t.Type, t.Dims}
	}
	wr, err := NewWriter(w, f.Version, &f.Meta, infos)
	if err != nil {
		return err
	}
	for _, t := range f.Tensors {
		if err := wr.Tensor(t.Name, t.Data); err != nil {
			return err
		}
	}
	return wr.Close()
}
