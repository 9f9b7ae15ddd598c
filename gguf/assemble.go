package gguf

import "fmt"

// A Mapping is the contents of a file of any format, for tensors that
// [Assemble] makes a [File] of.
type Mapping struct{ m mapping }

// Map maps a file into memory, where the system can, and reads it elsewhere.
func Map(path string) (*Mapping, error) {
	m, err := openMapping(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return &Mapping{m}, nil
}

// Data returns the contents. They must not be changed, nor read after Close.
func (m *Mapping) Data() []byte { return m.m.data }

// Close releases the mapping.
func (m *Mapping) Close() error { return m.m.unmap() }

// Guard is [File.Guard] for what reads the contents of a mapping.
func (m *Mapping) Guard(fn func() error) error {
	return (&File{mappings: []mapping{m.m}}).Guard(fn)
}

// Assemble returns the file of some metadata and tensors, whose data are views
// of the mappings or lie in memory of their own. It takes over the mappings:
// File.Close releases them.
func Assemble(meta Meta, tensors []Tensor, from ...*Mapping) *File {
	f := &File{Version: 3, Alignment: DefaultAlignment, Meta: meta, Tensors: tensors}
	for _, m := range from {
		f.Paths, f.opened = append(f.Paths, m.m.path), append(f.opened, m.m.info)
		f.mappings = append(f.mappings, m.m)
	}
	f.byName = make(map[string]int, len(tensors))
	for i := range tensors {
		f.byName[tensors[i].Name] = i
	}
	return f
}
