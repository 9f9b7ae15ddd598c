package gguf

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// WriteFile writes a file so that, whatever happens, path is either as it was
// or whole: write fills another file, which takes the name when it is on disk.
//
// Nothing is left behind by an error, nor, where the system has files without
// names (Linux, on most file systems), by a killed process. Elsewhere that may
// leave a file beside path whose name ends in .tmp.
func WriteFile(path string, write func(w io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("gguf: write %s: %w", path, err)
		}
	}()
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("it is not a regular file but %v", info.Mode())
	}
	temp := fmt.Sprintf("%s.%08x.tmp", path, rand.Uint32())
	named := false
	file, err := createUnnamed(filepath.Dir(path))
	if err != nil {
		// Not os.CreateTemp: its files are for the owner alone.
		file, err = os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		named = true
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			file.Close()
			if named {
				os.Remove(temp)
			}
		}
	}()
	w := bufio.NewWriterSize(file, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if !named {
		if err = nameFile(file, path); errors.Is(err, fs.ErrExist) { // only a rename replaces
			err = nameFile(file, temp)
			named = err == nil
		}
		if err != nil {
			return err
		}
	}
	if err := file.Close(); err != nil {
		return err
	}
	if named {
		if err := os.Rename(temp, path); err != nil {
			return err
		}
	}
	// The new name survives a crash once the folder is on disk too. Not every
	// system can sync a folder, and the file is whole either way.
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		dir.Sync()
		dir.Close()
	}
	return nil
}
