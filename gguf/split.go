package gguf

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
)

// The keys of a model in several files, as llama.cpp's gguf-split writes them.
// Every part has the number of parts and its own, which counts from 0; its
// file's name ends in both, the latter counting from 1.
const (
	keySplitCount   = "split.count"
	keySplitNo      = "split.no"
	keySplitTensors = "split.tensors.count"
	keyArchitecture = "general.architecture"
)

var partName = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// join opens the other parts if f is the first of several, and adds their
// tensors. The split keys go: what f then holds is not split.
func (f *File) join() error {
	path := f.Paths[0]
	count, no, err := f.part()
	if err != nil {
		return fmt.Errorf("gguf: %s: %w", path, err)
	}
	if count > 1 {
		name := partName.FindStringSubmatch(path)
		if name == nil || name[3] != fmt.Sprintf("%05d", count) || name[2] != fmt.Sprintf("%05d", no+1) {
			return fmt.Errorf("gguf: %s is part %d of %d, so its name must end in -%05d-of-%05d.gguf", path, no+1, count, no+1, count)
		}
		if no != 0 {
			return fmt.Errorf("gguf: %s is part %d of %d: open the first, %s", path, no+1, count, partPath(name[1], 0, count))
		}
		for no := 1; no < count; no++ {
			if err := f.append(partPath(name[1], no, count), no, count); err != nil {
				return err
			}
		}
		total, err := get[int](&f.Meta, keySplitTensors)
		if err == nil && total != len(f.Tensors) {
			err = fmt.Errorf("key %q is %d, but the parts have %d tensors", keySplitTensors, total, len(f.Tensors))
		}
		if err != nil && !errors.Is(err, ErrMissing) {
			return fmt.Errorf("gguf: %s: %w", path, err)
		}
	}
	for _, key := range []string{keySplitCount, keySplitNo, keySplitTensors} {
		f.Meta.Delete(key)
	}
	return nil
}

// append opens a further part and adds its tensors to f.
func (f *File) append(path string, no, count int) error {
	p, err := openOne(path)
	if err != nil {
		return err
	}
	f.Paths, f.opened = append(f.Paths, path), append(f.opened, p.opened...)
	f.mappings = append(f.mappings, p.mappings...)
	gotCount, gotNo, err := p.part()
	if err == nil && (gotNo != no || gotCount != count) {
		err = fmt.Errorf("is part %d of %d, want part %d of %d", gotNo+1, gotCount, no+1, count)
	}
	if err == nil {
		want, _ := f.Meta.Lookup(keyArchitecture)
		if got, ok := p.Meta.Lookup(keyArchitecture); ok && !reflect.DeepEqual(got, want) { // either may be an array
			err = fmt.Errorf("architecture is %s, that of the first part is %s", quote(fmt.Sprint(got)), quote(fmt.Sprint(want)))
		}
	}
	for _, t := range p.Tensors {
		if _, ok := f.byName[t.Name]; ok && err == nil {
			err = fmt.Errorf("tensor %q is also in another part", t.Name)
		}
		f.byName[t.Name] = len(f.Tensors)
		f.Tensors = append(f.Tensors, t)
	}
	if err != nil {
		return fmt.Errorf("gguf: %s: %w", path, err)
	}
	return nil
}

// part returns how many parts the model has and which one f is, from 0.
func (f *File) part() (count, no int, err error) {
	if _, ok := f.Meta.Lookup(keySplitCount); !ok {
		return 1, 0, nil
	}
	if count, err = get[int](&f.Meta, keySplitCount); err != nil {
		return 0, 0, err
	}
	if count <= 1 {
		return 1, 0, nil
	}
	if no, err = get[int](&f.Meta, keySplitNo); err != nil {
		return 0, 0, err
	}
	return count, no, nil
}

func partPath(prefix string, no, count int) string {
	return fmt.Sprintf("%s-%05d-of-%05d.gguf", prefix, no+1, count)
}
