package gguf

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// pieceBytes is how much ReadIn reads between two reports.
const pieceBytes = 8 << 20

// ReadIn reads the data of the tensors into memory of the process, in huge
// pages, and lets go of the mapping. Generating a token reads every weight
// once, and in pages of 2 MiB instead of 4 KiB memory gives them half as fast
// again; the price is that processes no longer share them. Changes of the file
// do no harm any more.
//
// done is told the bytes of each piece that was read. If it returns an error,
// that is ReadIn's, and f is as it was, as after any other error. What
// is not mapped, and systems without huge pages, give [errors.ErrUnsupported].
func (f *File) ReadIn(done func(bytes int) error) error {
	const align = 64
	total := 0
	for i := range f.Tensors {
		total += (len(f.Tensors[i].Data) + align - 1) / align * align
	}
	read := slices.ContainsFunc(f.mappings, func(m mapping) bool { return m.file == nil })
	if total == 0 || len(f.mappings) == 0 || read {
		return errors.ErrUnsupported
	}
	memory, free, err := hugeMemory(total)
	if err != nil {
		return fmt.Errorf("gguf: memory for %d bytes of tensors: %w", total, err)
	}
	var pieces []piece
	copies := make([][]byte, len(f.Tensors))
	at := 0
	for i := range f.Tensors {
		data := f.Tensors[i].Data
		copies[i] = memory[at : at+len(data) : at+len(data)]
		at += (len(data) + align - 1) / align * align
		pieces = f.cut(pieces, copies[i], data)
	}
	if err := readPieces(pieces, done); err != nil {
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

// A piece is a part of a file and where it goes.
type piece struct {
	from *mapping
	off  int
	to   []byte
}

// cut appends the pieces that fill to with data, which is in a mapping.
func (f *File) cut(pieces []piece, to, data []byte) []piece {
	for i := range f.mappings {
		m := &f.mappings[i]
		off, ok := m.offset(uintptr(unsafe.Pointer(unsafe.SliceData(data))))
		for at := 0; ok && at < len(to); at += pieceBytes {
			pieces = append(pieces, piece{m, off + at, to[at:min(at+pieceBytes, len(to))]})
		}
	}
	return pieces
}

// readPieces reads pieces, several at a time: that is faster than copying out
// of a mapping, which takes a fault for every few pages.
func readPieces(pieces []piece, done func(bytes int) error) error {
	var next atomic.Int64
	results := make(chan error, len(pieces)) // nobody waits for a caller that gave up
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 4) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(pieces)); i = next.Add(1) - 1 {
				results <- pieces[i].read()
			}
		})
	}
	var err error
	for n := 0; n < len(pieces) && err == nil; n++ {
		if err = <-results; err == nil {
			err = done(len(pieces[n].to)) // some piece or other: the sum is right in the end
		}
	}
	next.Store(int64(len(pieces)))
	workers.Wait()
	return err
}

func (p *piece) read() error {
	n, err := p.from.file.ReadAt(p.to, int64(p.off))
	switch {
	case err == io.EOF:
		return fmt.Errorf("gguf: %s changed while it was in use: byte %d cannot be read", p.from.path, p.off+n)
	case err != nil:
		return fmt.Errorf("gguf: %w", err)
	}
	return nil
}
