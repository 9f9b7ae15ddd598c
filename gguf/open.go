package gguf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"
)

// Open maps the file into memory, where the system can, and parses it. If the
// metadata say that it is the first of several parts, the others are opened
// too, and the tensors and metadata returned are those of the whole.
//
// Pages are read when they are first used. If the file shrinks meanwhile, the
// use of a tensor faults, which ends the program unless it happens in
// [File.Guard].
func Open(path string) (*File, error) {
	f, err := openOne(path)
	if err != nil {
		return nil, err
	}
	if err := f.join(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// openOne opens a single file, be it a part or not.
func openOne(path string) (*File, error) {
	m, err := openMapping(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	var f *File
	guard := &File{mappings: []mapping{m}}
	err = guard.Guard(func() (err error) {
		if f, err = parse(m.data); err != nil {
			err = fmt.Errorf("gguf: %s: %w", path, err)
		}
		return err
	})
	if err != nil {
		m.unmap()
		return nil, err
	}
	f.Paths, f.opened, f.mappings = []string{path}, []os.FileInfo{m.info}, guard.mappings
	return f, nil
}

// A mapping is the contents of a file.
type mapping struct {
	path  string
	info  os.FileInfo
	file  *os.File // open as long as it is mapped; nil: data was read
	data  []byte
	unmap func() error
}

// offset returns how far into the mapping an address is, false if it is outside.
func (m *mapping) offset(address uintptr) (int, bool) {
	off := address - uintptr(unsafe.Pointer(unsafe.SliceData(m.data)))
	return int(off), off < uintptr(len(m.data))
}

func openMapping(path string) (mapping, error) {
	// Without nonblock, opening a FIFO waits for a writer.
	file, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return mapping{}, err
	}
	m, err := mapOpen(path, file)
	if m.file == nil {
		file.Close()
	}
	return m, err
}

func mapOpen(path string, file *os.File) (mapping, error) {
	info, err := file.Stat()
	if err != nil {
		return mapping{}, err
	}
	if !info.Mode().IsRegular() {
		return mapping{}, fmt.Errorf("%s is not a regular file but %v", path, info.Mode())
	}
	n := info.Size()
	if n != int64(int(n)) {
		return mapping{}, fmt.Errorf("%s has %d bytes, too many for this machine", path, n)
	}
	m := mapping{path: path, info: info, unmap: func() error { return nil }}
	if n == 0 {
		return m, nil
	}
	data, unmap, err := mapFile(file, int(n))
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		m.data = make([]byte, n)
		_, err = io.ReadFull(file, m.data)
	case err == nil:
		m.file, m.data, m.unmap = file, data, func() error { return errors.Join(unmap(), file.Close()) }
	}
	if err != nil {
		return mapping{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Guard calls fn and returns its error. If fn faults because a file of f shrank
// while it was mapped, that becomes an error that names the file.
//
// A fault can be turned into an error only on the goroutine where it happens.
// Worker goroutines that fn waits for must therefore call
// debug.SetPanicOnFault(true) once, recover panics, and hand the recovered
// value to the goroutine of fn, which panics with it again: the value tells
// Guard the address.
func (f *File) Guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if v := recover(); v != nil {
			if err = f.fault(v); err == nil {
				panic(v)
			}
		}
	}()
	return fn()
}

// fault returns an error if the panic comes from a mapping of f: its address is
// there (the file shrank, or its disk fails), or the file has shrunk, as far as
// the panic knows no address, which is so under emulation.
func (f *File) fault(v any) error {
	e, ok := v.(runtime.Error)
	if !ok {
		return nil
	}
	for _, m := range f.mappings {
		if a, ok := e.(interface{ Addr() uintptr }); ok {
			if off, ok := m.offset(a.Addr()); ok {
				return fmt.Errorf("gguf: %s changed while it was in use: byte %d cannot be read", m.path, off)
			}
		} else if info, err := os.Stat(m.path); err == nil && info.Size() < int64(len(m.data)) {
			return fmt.Errorf("gguf: %s changed while it was in use: it had %d bytes and has %d", m.path, len(m.data), info.Size())
		}
	}
	return nil
}

// CopyPath writes the bytes of the file that f.Paths[i] names to w, such as a hash.
// It is an error if those are not the bytes that were opened: another file has the
// name by now, or the file was written to.
func (f *File) CopyPath(w io.Writer, i int) error {
	path := f.Paths[i]
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("gguf: %w", err)
	}
	defer file.Close()
	same := func() error {
		now, err := file.Stat()
		if was := f.opened[i]; err == nil && !(os.SameFile(was, now) && was.Size() == now.Size() && was.ModTime().Equal(now.ModTime())) {
			err = fmt.Errorf("gguf: %s changed while it was in use", path)
		}
		return err
	}
	if err := same(); err != nil {
		return err
	}
	if _, err := io.Copy(w, file); err != nil {
		return err
	}
	return same()
}
