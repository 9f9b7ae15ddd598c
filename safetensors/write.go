package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// An Info describes a tensor to be written.
type Info struct {
	Name  string
	Dtype string
	Shape []int // extents, outermost first
}

// Bytes returns the size of the tensor's data.
func (t *Info) Bytes() (int64, error) {
	size, ok := sizes[t.Dtype]
	if !ok {
		return 0, fmt.Errorf("safetensors: tensor %.80q has the unknown dtype %.20q", t.Name, t.Dtype)
	}
	n := int64(size)
	for _, d := range t.Shape {
		if d < 0 || d > 0 && n > (1<<62)/int64(d) {
			return 0, fmt.Errorf("safetensors: tensor %.80q has the shape %d", t.Name, t.Shape)
		}
		n *= int64(d)
	}
	return n, nil
}

// A Writer writes a file: the header first, then the data of each tensor in the
// order of the header.
type Writer struct {
	w       io.Writer
	tensors []Info
	next    int
}

// NewWriter writes the header. metadata become the strings under
// "__metadata__"; transformers wants "format": "pt" there.
func NewWriter(w io.Writer, metadata map[string]string, tensors []Info) (*Writer, error) {
	var header bytes.Buffer
	put := func(name string, v any) error {
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		value, err := json.Marshal(v)
		if err != nil {
			return err
		}
		header.WriteByte([]byte("{,")[min(header.Len(), 1)])
		header.Write(key)
		header.WriteByte(':')
		header.Write(value)
		return nil
	}
	if len(metadata) > 0 {
		if err := put("__metadata__", metadata); err != nil {
			return nil, fmt.Errorf("safetensors: %w", err)
		}
	}
	var at int64
	seen := map[string]bool{"__metadata__": true}
	for i := range tensors {
		t := &tensors[i]
		if seen[t.Name] {
			return nil, fmt.Errorf("safetensors: the name %.80q is taken", t.Name)
		}
		seen[t.Name] = true
		n, err := t.Bytes()
		if err != nil {
			return nil, err
		}
		err = put(t.Name, map[string]any{"dtype": t.Dtype, "shape": append([]int{}, t.Shape...), "data_offsets": []int64{at, at + n}})
		if err != nil {
			return nil, fmt.Errorf("safetensors: %w", err)
		}
		at += n
	}
	if header.Len() == 0 {
		header.WriteByte('{')
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 { // the data begin at a multiple of 8
		header.WriteByte(' ')
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(header.Len()))); err != nil {
		return nil, err
	}
	_, err := w.Write(header.Bytes())
	return &Writer{w: w, tensors: tensors}, err
}

// Tensor writes the data of the next tensor.
func (w *Writer) Tensor(data []byte) error {
	if w.next == len(w.tensors) {
		return errors.New("safetensors: every tensor of the header is written")
	}
	t := &w.tensors[w.next]
	if n, err := t.Bytes(); err != nil || n != int64(len(data)) {
		return fmt.Errorf("safetensors: tensor %.80q has %d bytes, want %d", t.Name, len(data), n)
	}
	w.next++
	_, err := w.w.Write(data)
	return err
}

// Close tells whether every tensor was written.
func (w *Writer) Close() error {
	if w.next < len(w.tensors) {
		return fmt.Errorf("safetensors: tensor %.80q is not written", w.tensors[w.next].Name)
	}
	return nil
}
