package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/normswap/normswap/internal/whole"
	"github.com/normswap/normswap/plugin/llamacpp"
)

// states writes what norms read, float32 [tokens, width] in NumPy's format, a
// file a norm, in one pass over the text. The files are there together or not at
// all.
func states(ctx context.Context, w io.Writer, o options, m *llamacpp.Model, ids []int32) error {
	if o.out == "" {
		return errors.New("states needs -o: the file to write")
	}
	h, err := swap(ctx, o, m, &ids)
	if err != nil {
		return err
	}
	if h == nil {
		h = &llamacpp.Hook{}
	}
	names := map[*llamacpp.Site]string{}
	last := ""
	for _, s := range m.Sites() {
		match, err := path.Match(o.site, s.Name)
		if err != nil {
			return fmt.Errorf("--site %s: %w", o.site, err)
		}
		if match {
			last = strings.TrimSuffix(filepath.Base(o.out), ".npy") + "." + s.Name + ".npy"
			names[s] = last
		}
	}
	switch len(names) {
	case 0:
		return fmt.Errorf("--site %s: the model has no such norm; the command sites lists them", o.site)
	case 1:
		last = filepath.Base(o.out)
		for s := range names {
			names[s] = last
		}
	}
	dir := filepath.Dir(o.out)
	err = whole.Files(ctx, dir, last, func(temp string) error {
		files := map[*llamacpp.Site]*bufio.Writer{}
		for s, name := range names {
			f, err := os.Create(filepath.Join(temp, name))
			if err != nil {
				return err
			}
			defer f.Close() // its errors come with those of Flush
			files[s] = bufio.NewWriter(f)
			if _, err := files[s].Write(npyHeader(len(ids), s.Width*s.Groups)); err != nil {
				return err
			}
		}
		h.TapSites = func(s *llamacpp.Site) bool { return names[s] != "" }
		var failed error
		h.Tap = func(v llamacpp.Vectors) {
			if failed == nil {
				failed = binary.Write(files[v.Site], binary.LittleEndian, v.In)
			}
		}
		for _, window := range m.Windows(ids) {
			m.Reset()
			if _, err := m.Eval(ctx, window, h); err != nil {
				return err
			}
		}
		for _, f := range files {
			failed = errors.Join(failed, f.Flush())
		}
		return failed
	})
	if err != nil {
		return err
	}
	for _, s := range m.Sites() {
		if names[s] != "" {
			fmt.Fprintf(w, "%s: %d x %d, what %s reads\n", filepath.Join(dir, names[s]), len(ids), s.Width*s.Groups, s.Name)
		}
	}
	return nil
}

// npyHeader is the head of a NumPy array of float32, little-endian, rows first:
// format 1.0 of numpy.lib.format, padded to a multiple of 64 bytes.
func npyHeader(rows, columns int) []byte {
	const fixed, align = 10, 64
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, columns)
	text += strings.Repeat(" ", (align-(fixed+len(text)+1)%align)%align) + "\n"
	head := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(head[8:], uint16(len(text)))
	return append(head, text...)
}
