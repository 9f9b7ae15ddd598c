package gguf

import (
	"context"
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
// progress, if not nil, is called with the bytes of tensors that are read and
// those of all. After an error, that of ctx among them, f is as it was. What is
// not mapped, systems without huge pages and those without the memory give
// [errors.ErrUnsupported].
func (f *File) ReadIn(ctx context.Context, progress func(done, total int64)) error {
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
		return fmt.Errorf("gguf: memory for %d bytes of tensors: %w (%w)", total, err, errors.ErrUnsupported)
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
	if err := readPieces(ctx, pieces, meter(progress, f.DataBytes())); err != nil {
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

// cut appends the pieces that fill to with data. Data that lie in no mapping are
// copied at once.
func (f *File) cut(pieces []piece, to, data []byte) []piece {
	for i := range f.mappings {
		m := &f.mappings[i]
		off, ok := m.offset(uintptr(unsafe.Pointer(unsafe.SliceData(data))))
		for at := 0; ok && at < len(to); at += pieceBytes {
			pieces = append(pieces, piece{m, off + at, to[at:min(at+pieceBytes, len(to))]})
		}
		if ok {
			return pieces
		}
	}
	copy(to, data)
	return pieces
}

// readPieces reads pieces, several at a time: that is faster than copying out
// of a mapping, which takes a fault for every few pages.
func readPieces(ctx context.Context, pieces []piece, done func(bytes int)) error {
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
		select {
		case err = <-results:
			done(len(pieces[n].to)) // some piece or other: the sum is right in the end
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	next.Store(int64(len(pieces)))
	workers.Wait()
	return err
}

// meter returns a function that adds bytes up for progress.
func meter(progress func(done, total int64), total int64) func(bytes int) {
	var done int64
	return func(bytes int) {
		if done += int64(bytes); progress != nil {
			progress(done, total)
		}
	}
}

// ReadAhead touches the mapping of every tensor once, so that what computes
// with them does not wait for the disk. progress, if not nil, is called with
// the bytes that were touched and those of all.
func (f *File) ReadAhead(ctx context.Context, progress func(done, total int64)) error {
	const page = 4 << 10
	done := meter(progress, f.DataBytes())
	return f.Guard(func() error {
		var sink byte
		for i := range f.Tensors {
			for chunk := range slices.Chunk(f.Tensors[i].Data, pieceBytes) {
				if err := ctx.Err(); err != nil {
					return err
				}
				for j := 0; j < len(chunk); j += page {
					sink += chunk[j]
				}
				done(len(chunk))
			}
		}
		runtime.KeepAlive(sink)
		return nil
	})
}

// DataBytes returns the bytes of all tensors.
func (f *File) DataBytes() int64 {
	var n int64
	for i := range f.Tensors {
		n += int64(len(f.Tensors[i].Data))
	}
	return n
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
