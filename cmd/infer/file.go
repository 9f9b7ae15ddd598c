package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/normswap/normswap/gguf"
)

// writeFile makes a file of binary data that is whole or is not there. It refuses
// to replace a file unless replace is set. What is no regular file, such as
// /dev/stdout, is written to directly, but no terminal; "-" is stdout.
func writeFile(ctx context.Context, path string, replace bool, write func(w io.Writer) error) error {
	if path == "-" {
		if stdout.terminal {
			return fmt.Errorf("stdout: %w", errBinary)
		}
		return fill(ctx, stdout, write)
	}
	device, err := checkTarget(path, replace)
	if err != nil {
		return err
	}
	if device {
		// A FIFO does not open before somebody reads it.
		f, err := await(ctx, func() (*os.File, error) { return os.OpenFile(path, os.O_WRONLY, 0) })
		if err != nil {
			return err
		}
		if isTerminal(f) {
			f.Close()
			return fmt.Errorf("%s: %w", path, errBinary)
		}
		// Nor does it take more than its reader reads.
		defer context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Now()) })()
		if err := errors.Join(fill(ctx, f, write), f.Close()); err != nil {
			return cmp.Or(ctx.Err(), err)
		}
		return nil
	}
	err = gguf.WriteFile(path, func(w io.Writer) error { return write(cancelWriter{ctx, w}) })
	return cannotWrite(path, err)
}

// saveFile writes a file of results, or leaves what was there.
func saveFile(path string, write func(w io.Writer) error) error {
	return cannotWrite(path, gguf.WriteFile(path, write))
}

// cannotWrite says once what could not be written, where err is the system's and
// names a temporary file.
func cannotWrite(path string, err error) error {
	var file *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &file):
		err = file.Err
	case errors.As(err, &link):
		err = link.Err
	default:
		return err
	}
	return fmt.Errorf("cannot write %s: %w", path, err)
}

// checkTarget tells why a file cannot be written, before it is worked out, and
// whether it is no regular file.
func checkTarget(path string, replace bool) (device bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if dir := filepath.Dir(path); !exists(dir) {
			return false, fmt.Errorf("cannot write %s: there is no folder %s; make it first", path, dir)
		}
		return false, nil
	case err != nil:
		return false, err
	case info.IsDir():
		return false, fmt.Errorf("%s is a folder; name a file in it", path)
	case !info.Mode().IsRegular():
		return true, nil
	case !replace:
		return false, fmt.Errorf("%s is there already; --force replaces it", path)
	}
	return false, nil
}

// fill writes through a buffer, until ctx is cancelled.
func fill(ctx context.Context, f io.Writer, write func(w io.Writer) error) error {
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(cancelWriter{ctx, w}); err != nil {
		return err
	}
	return w.Flush()
}

// cancelWriter fails when ctx is cancelled.
type cancelWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c cancelWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}
