//go:build !linux

package gguf

import "errors"

func hugeMemory(int) ([]byte, func() error, error) { return nil, nil, errors.ErrUnsupported }
