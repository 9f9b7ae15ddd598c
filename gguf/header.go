package gguf

import (
	"cmp"
	"fmt"
	"io"
)

const (
	firstRead = 1 << 20 // bytes of a header that are read at once, and four times as many each further time
	maxHeader = 1 << 30
)

// ReadHeader reads the metadata and the descriptions of the tensors of a file of size
// bytes, and no data of tensors: of a model far away it takes a few ranges. The
// tensors have names, types, shapes and offsets, checked as by [Parse], and no Data.
// A part of a split model is read as it is.
func ReadHeader(src io.ReaderAt, size int64) (*File, error) {
	if size < 0 || size != int64(int(size)) {
		return nil, fmt.Errorf("gguf: a file of %d bytes", size)
	}
	var data []byte
	for n := int64(firstRead); ; n *= 4 {
		have := len(data)
		n = min(n, size)
		data = append(data, make([]byte, int(n)-have)...)
		if k, err := src.ReadAt(data[have:], int64(have)); k < int(n)-have {
			return nil, fmt.Errorf("gguf: %w", cmp.Or(err, io.ErrUnexpectedEOF))
		}
		r := &reader{data: data, size: int(size)}
		f, err := r.file()
		switch {
		case err == nil:
			for i := range f.Tensors {
				f.Tensors[i].Data = nil
			}
			return f, nil
		case !r.more:
			return nil, fmt.Errorf("gguf: %w", err)
		case n >= maxHeader:
			return nil, fmt.Errorf("gguf: metadata and descriptions of tensors take more than %d bytes", maxHeader)
		}
	}
}
