package gguf

import (
	"errors"
	"fmt"
)

// pieceBytes is how much ReadIn copies between two reports.
const pieceBytes = 8 << 20

// ReadIn copies the data of the tensors from the mapping into memory of the
// process, in huge pages, and lets go of the mapping. Generating a token
// reads every weight once, and in pages of 2 MiB instead of 4 KiB memory
// gives them half as fast again; the price is that processes no longer share
// them. Changes of the file do no harm any more.
//
// done is told the bytes of each piece that was copied. If it returns an
// error, that is ReadIn's, and f is as it was. Systems without huge pages
// give [errors.ErrUnsupported].
func (f *File) ReadIn(done func(bytes int) error) error {
	const align = 64
	total := 0
	for i := range f.Tensors {
		total += (len(f.Tensors[i].Data) + align - 1) / align * align
	}
	if total == 0 || len(f.mappings) == 0 {
		return errors.ErrUnsupported
	}
	memory, free, err := hugeMemory(total)
	if err != nil {
		return fmt.Errorf("gguf: memory for %d bytes of tensors: %w", total, err)
	}
	copies := make([][]byte, len(f.Tensors))
	err = f.Guard(func() error {
		at := 0
		for i := range f.Tensors {
			data := f.Tensors[i].Data
			copies[i] = memory[at : at+len(data) : at+len(data)]
			at += (len(data) + align - 1) / align * align
			for from := 0; from < len(data); from += pieceBytes {
				piece := data[from:min(from+pieceBytes, len(data))]
				copy(copies[i][from:], piece)
				dropPages(piece)
				if err := done(len(piece)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, free())
	}
	for _, m := range f.mappings {
		err = errors.Join(err, m.unmap())
	}
	f.mappings = []mapping{{unmap: free}}
	for i := range f.Tensors {
		if f.Tensors[i].Data != nil {
			f.Tensors[i].Data = copies[i]
		}
	}
	return err
}
