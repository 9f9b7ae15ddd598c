package hf

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A value is a tensor of a checkpoint.
type value struct {
	dtype string // as in safetensors: "F32", "F16", "BF16", ...
	shape []int  // extents, outermost first
	data  []byte // little-endian, rows after one another
}

// storages are the dtypes of torch's classes of storage.
var storages = map[string]string{
	"DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
	"LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8",
	"ByteStorage": "U8", "BoolStorage": "BOOL",
}

var storageSizes = map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}

const makeSafetensors = `python -c "from transformers import AutoModel; AutoModel.from_pretrained('.').save_pretrained('.')" makes safetensors of it`

// readTorch reads what torch.save wrote: a zip archive with a pickle and the
// storages, which stay views of data. A pickle is a program; only the few
// instructions that build a table of tensors are carried out, and whatever else
// it wants to call is an error that names it. No code is ever run.
func readTorch(data []byte) (map[string]value, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if errors.Is(err, zip.ErrFormat) {
		return nil, errors.New("not a zip archive, as torch.save has written since version 1.6; " + makeSafetensors)
	}
	if err != nil {
		return nil, err
	}
	p := &pickle{memo: map[int]any{}, storage: map[string][]byte{}}
	var program *zip.File
	for _, f := range z.File {
		_, inside, _ := strings.Cut(f.Name, "/")
		switch {
		case inside == "data.pkl":
			program = f
		case inside == "byteorder":
			r, err := f.Open()
			if err != nil {
				return nil, err
			}
			order, err := io.ReadAll(io.LimitReader(r, 16))
			if err != nil {
				return nil, err
			}
			if string(order) != "little" {
				return nil, fmt.Errorf("its numbers are %.16q-endian; only little-endian ones are read", order)
			}
		case strings.HasPrefix(inside, "data/"):
			if f.Method != zip.Store {
				return nil, fmt.Errorf("%s is compressed; torch.save does not do that", f.Name)
			}
			at, err := f.DataOffset()
			if err != nil {
				return nil, err
			}
			end := at + int64(f.UncompressedSize64)
			if at < 0 || end < at || end > int64(len(data)) {
				return nil, fmt.Errorf("%s lies beyond the end of the file", f.Name)
			}
			p.storage[strings.TrimPrefix(inside, "data/")] = data[at:end:end]
		}
	}
	if program == nil {
		return nil, errors.New("it has no data.pkl")
	}
	const limit = 64 << 20
	if program.UncompressedSize64 > limit {
		return nil, fmt.Errorf("%s has %d bytes, above the limit of %d", program.Name, program.UncompressedSize64, limit)
	}
	r, err := program.Open()
	if err != nil {
		return nil, err
	}
	if p.code, err = io.ReadAll(io.LimitReader(r, limit)); err != nil {
		return nil, err
	}
	top, err := p.run()
	if err != nil {
		return nil, fmt.Errorf("pickle: %w; %s", err, makeSafetensors)
	}
	return tensorsOf(top)
}

func tensorsOf(top any) (map[string]value, error) {
	d, ok := top.(*dict)
	if !ok {
		return nil, errors.New("it holds no table of tensors")
	}
	if inner, ok := d.m["state_dict"].(*dict); ok {
		d = inner
	}
	all := make(map[string]value, len(d.m))
	for k, v := range d.m {
		name, ok := k.(string)
		t, isTensor := v.(value)
		if !ok || !isTensor {
			return nil, fmt.Errorf("the entry %.80v is no tensor", k)
		}
		all[name] = t
	}
	return all, nil
}
