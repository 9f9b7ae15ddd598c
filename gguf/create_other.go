//go:build !linux

package gguf

import (
	"errors"
	"os"
)

// createUnnamed and nameFile are for systems with files that have no name.
func createUnnamed(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func nameFile(*os.File, string) error { return errors.ErrUnsupported }
