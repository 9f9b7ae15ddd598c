//go:build unix

package gguf

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const nonblock = unix.O_NONBLOCK

// mapFile maps n bytes of a file. Where the file system has no mapping, that is
// [errors.ErrUnsupported].
func mapFile(file *os.File, n int) ([]byte, func() error, error) {
	data, err := unix.Mmap(int(file.Fd()), 0, n, unix.PROT_READ, unix.MAP_SHARED)
	if err == unix.ENODEV {
		return nil, nil, errors.ErrUnsupported
	}
	if err != nil {
		return nil, nil, err
	}
	return data, func() error { return unix.Munmap(data) }, nil
}
