//go:build !unix

package gguf

import (
	"errors"
	"os"
)

const nonblock = 0

func mapFile(*os.File, int) ([]byte, func() error, error) { return nil, nil, errors.ErrUnsupported }
