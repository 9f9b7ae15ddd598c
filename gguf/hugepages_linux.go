package gguf

import "golang.org/x/sys/unix"

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
