// Package safetensors reads the container of Hugging Face's models:
// a header in JSON that says where each tensor lies, and the data.
//
//	uint64 length of the header, little-endian
//	header: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...,
//	         "__metadata__": {"format": "pt"}}
//	data, which the offsets count from
//
// Files come from strangers: [Parse] returns tensors that lie within the bytes,
// or an error that says what is wrong. The format is described at
// github.com/huggingface/safetensors.
package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// maxHeader is the limit of the reference implementation.
const maxHeader = 100_000_000

// A Tensor is a view of the bytes of a file.
type Tensor struct {
	Name  string
	Dtype string // as the file spells it, such as "BF16"
	Shape []int  // extents, outermost first; empty for a scalar
	Data  []byte // little-endian, rows after one another
}

// sizes are the bytes of an element.
var sizes = map[string]int{
	"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
	"U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}

// Parse reads a file that is in memory. The tensors, in the order of their
// data, are views of it. metadata are the strings under "__metadata__".
func Parse(data []byte) (tensors []Tensor, metadata map[string]string, err error) {
	if len(data) < 8 {
		return nil, nil, fmt.Errorf("safetensors: %d bytes are too few for a header", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader || n > uint64(len(data)-8) {
		return nil, nil, fmt.Errorf("safetensors: the header has %d bytes of %d (limit %d); is the file whole?", n, len(data), maxHeader)
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(data[8:8+n], &header); err != nil {
		return nil, nil, fmt.Errorf("safetensors: header: %w", err)
	}
	body := data[8+n:]
	type placed struct {
		Tensor
		from int
	}
	var all []placed
	for name, raw := range header {
		if name == "__metadata__" {
			if err := json.Unmarshal(raw, &metadata); err != nil {
				return nil, nil, fmt.Errorf("safetensors: __metadata__: %w", err)
			}
			continue
		}
		var t struct {
			Dtype   string   `json:"dtype"`
			Shape   []uint64 `json:"shape"`
			Offsets []uint64 `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, nil, fmt.Errorf("safetensors: tensor %.80q: %w", name, err)
		}
		if len(t.Offsets) != 2 || t.Offsets[0] > t.Offsets[1] || t.Offsets[1] > uint64(len(body)) {
			return nil, nil, fmt.Errorf("safetensors: tensor %.80q lies at bytes %d of %d; is the file whole?", name, t.Offsets, len(body))
		}
		size, ok := sizes[t.Dtype]
		if !ok {
			return nil, nil, fmt.Errorf("safetensors: tensor %.80q has the unknown dtype %.20q", name, t.Dtype)
		}
		bytes := t.Offsets[1] - t.Offsets[0]
		shape := make([]int, len(t.Shape))
		want := uint64(size)
		for i, d := range t.Shape {
			if d > uint64(len(body)) || d != 0 && want > uint64(len(body))/d {
				return nil, nil, fmt.Errorf("safetensors: tensor %.80q of shape %d does not fit into %d bytes", name, t.Shape, len(body))
			}
			shape[i] = int(d)
			want *= d
		}
		if want != bytes {
			return nil, nil, fmt.Errorf("safetensors: tensor %.80q of shape %d in %s has %d bytes, want %d", name, t.Shape, t.Dtype, bytes, want)
		}
		all = append(all, placed{Tensor{name, t.Dtype, shape, body[t.Offsets[0]:t.Offsets[1]:t.Offsets[1]]}, int(t.Offsets[0])})
	}
	slices.SortFunc(all, func(a, b placed) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return strings.Compare(a.Name, b.Name)
	})
	at := 0
	for _, t := range all {
		if t.from != at {
			return nil, nil, fmt.Errorf("safetensors: tensor %.80q begins at byte %d of the data, want %d: tensors overlap or leave a gap", t.Name, t.from, at)
		}
		at += len(t.Data)
		tensors = append(tensors, t.Tensor)
	}
	if at != len(body) {
		return nil, nil, fmt.Errorf("safetensors: %d bytes follow the last tensor", len(body)-at)
	}
	return tensors, metadata, nil
}
