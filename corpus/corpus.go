// Package corpus reads texts of any size: files, folders and stdin, compressed
// or not, one after another, in pieces that models read at once and that many
// processes share among them. Begin with [Find], [Open] and [Read]:
//
//	paths, err := corpus.Find("books", "more.txt.gz")
//	text := corpus.Open(paths)
//	defer text.Close()
//	r, err := corpus.Read(text, corpus.Options{Size: 512, First: -1, Encode: encode})
//	for {
//		w, err := r.Next()
//		if err == io.EOF {
//			break
//		}
//		// w.IDs are up to 512 token ids
//	}
//
// It knows nothing of models: what makes ids of a text is the caller's.
package corpus

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/normswap/normswap/internal/text"
	"github.com/therootcompany/xz"
)

// Stdin is the name of the standard input.
const Stdin = "-"

// Find returns the files that names stand for: files, folders with all that is in
// and below them, patterns as of [filepath.Match], and [Stdin]. What a folder or a
// pattern holds is sorted by path; names that begin with a dot are left out.
func Find(names ...string) ([]string, error) {
	var all []string
	for _, name := range names {
		info, err := os.Stat(name)
		var found []string
		switch {
		case name == Stdin:
			found, err = []string{name}, nil
		case err == nil && info.IsDir():
			found, err = below(name)
		case err == nil:
			found = []string{name}
		case errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(name, "*?["):
			if found, err = filepath.Glob(name); err == nil {
				found = slices.DeleteFunc(found, func(p string) bool {
					info, err := os.Stat(p)
					return err != nil || info.IsDir()
				})
			}
		}
		if err != nil {
			return nil, fmt.Errorf("corpus: %w", err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("corpus: %s holds no file", name)
		}
		all = append(all, found...)
	}
	return all, nil
}

func below(folder string) (files []string, err error) {
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch hidden := strings.HasPrefix(d.Name(), ".") && path != folder; {
		case err != nil:
			return err
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden || d.IsDir():
			return nil
		}
		files = append(files, path)
		return nil
	})
	return files, err
}

// Open returns the contents of files one after another, as cat gives them: those
// that begin as gzip, Zstandard, xz or bzip2 files do are decompressed. A file is
// opened when the one before it is at its end.
func Open(paths []string) io.ReadCloser { return &files{paths: paths} }

// OpenText is Open for files of UTF-8 text: what is plainly none, by its beginning, is
// an error that names the file and wraps what it is.
func OpenText(paths []string) io.ReadCloser { return &files{paths: paths, check: text.Check} }

type files struct {
	check func(head []byte) error // nil: anything goes
	paths []string                // those that are not open yet
	path  string                  // of the open file
	file  *os.File                // nil: none is open
	text  io.Reader
	end   func() // of the decompression, may be nil
}

// Read reads from the files in turn.
func (f *files) Read(p []byte) (int, error) {
	for {
		if f.file == nil {
			if len(f.paths) == 0 {
				return 0, io.EOF
			}
			f.path, f.paths = f.paths[0], f.paths[1:]
			if err := f.open(); err != nil {
				return 0, err
			}
		}
		n, err := f.text.Read(p)
		if err == io.EOF {
			err = f.Close()
		}
		if err != nil {
			return n, f.fail(err)
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
}

// fail names the file of an error.
func (f *files) fail(err error) error {
	name := f.path
	if name == Stdin {
		name = "stdin"
	}
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		err = file.Err // its path is that of the file
	}
	return fmt.Errorf("corpus: %s: %w", name, err)
}

// sample is how much of a file is looked at for what it is.
const sample = 64 << 10

func (f *files) open() (err error) {
	f.file = os.Stdin
	if f.path != Stdin {
		if f.file, err = os.Open(f.path); err != nil {
			f.file = nil
			return f.fail(err)
		}
	}
	plain := bufio.NewReaderSize(f.file, sample)
	if f.text, f.end, err = decompress(plain); err == nil && f.check != nil {
		head := bufio.NewReaderSize(f.text, sample)
		f.text = head
		var b []byte
		if b, err = head.Peek(sample); err == nil || err == io.EOF {
			err = f.check(b)
		}
	}
	if err != nil {
		err = f.fail(err)
		f.Close()
	}
	return err
}

// maxWindow bounds the memory that a compressed file may ask for: what zstd --long
// takes, and twice what xz -9 does.
const maxWindow = 128 << 20

// decompress returns the contents of a file and what ends the reading, if
// anything does.
func decompress(r *bufio.Reader) (io.Reader, func(), error) {
	head, err := r.Peek(6)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	begins := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case begins("\x1f\x8b"):
		z, err := gzip.NewReader(r)
		return z, nil, err
	case begins("\x28\xb5\x2f\xfd"):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	case begins("\xfd7zXZ\x00"):
		z, err := xz.NewReader(r, maxWindow)
		return z, nil, err
	case begins("BZh"):
		return bzip2.NewReader(r), nil, nil
	}
	return r, nil, nil
}

// Close closes the open file.
func (f *files) Close() error {
	if f.file == nil {
		return nil
	}
	if f.end != nil {
		f.end()
	}
	file := f.file
	f.file, f.text, f.end = nil, nil, nil
	if f.path == Stdin {
		return nil
	}
	return file.Close()
}
