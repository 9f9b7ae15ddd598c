package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// writeFile makes a file that is whole or is not there: write fills a
// temporary one beside it, which is renamed at the end. It refuses to replace
// a file unless told to. What is no regular file, such as /dev/stdout, is
// written to as it is; "-" is stdout.
func writeFile(ctx context.Context, path string, replace bool, write func(w io.Writer) error) (err error) {
	if path == "-" {
		return fill(ctx, os.Stdout, write)
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder; name a file in it", path)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(fill(ctx, f, write), f.Close())
	case err == nil && !replace:
		return fmt.Errorf("%s is there already; --force replaces it", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	temporary := fmt.Sprintf("%s.%d.tmp", path, os.Getpid())
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temporary)
		}
	}()
	err = fill(ctx, f, write)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// fill writes through a buffer, until ctx is cancelled.
func fill(ctx context.Context, f *os.File, write func(w io.Writer) error) error {
	w := bufio.NewWriterSize(cancelWriter{ctx, f}, 1<<20)
	if err := write(w); err != nil {
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
