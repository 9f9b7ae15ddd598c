package gguf

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugeMemory returns n zero bytes outside the heap, in huge pages as far as
// the system has them to give.
func hugeMemory(n int) ([]byte, func() error, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // advice: a kernel without them says no, and small pages serve
	return b, func() error { return unix.Munmap(b) }, nil
}

// dropPages tells the system that the pages within b, a part of a mapped
// file, are not needed in this process for now.
func dropPages(b []byte) {
	page := os.Getpagesize()
	lead := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (page - 1)
	if n := (len(b) - lead) &^ (page - 1); lead < len(b) && n > 0 {
		_ = unix.Madvise(b[lead:lead+n], unix.MADV_DONTNEED) // advice
	}
}
