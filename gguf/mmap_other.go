//go:build !unix

package gguf

import "os"

const nonblock = 0

func mapFile(file *os.File, n int) ([]byte, func() error, error) { return readFile(file, n) }
