package hf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/safetensors"
)

// A checkpoint is the tensors of a folder, by the names that the folder gives
// them.
type checkpoint struct {
	tensors  map[string]value
	used     map[string]bool
	mappings []*gguf.Mapping
}

func (c *checkpoint) close() {
	for _, m := range c.mappings {
		m.Close()
	}
}

// weightFiles returns the files of weights of a folder: safetensors before
// pickles, one file before shards.
func weightFiles(dir string) (names []string, torch bool, err error) {
	for _, k := range []struct {
		one   string
		torch bool
	}{{"model.safetensors", false}, {"pytorch_model.bin", true}} {
		if _, err := os.Stat(filepath.Join(dir, k.one)); err == nil {
			return []string{k.one}, k.torch, nil
		}
		index, err := os.ReadFile(filepath.Join(dir, k.one+".index.json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		var shards struct {
			WeightMap map[string]string `json:"weight_map"`
		}
		if err := json.Unmarshal(index, &shards); err != nil {
			return nil, false, fmt.Errorf("%s.index.json: %w", k.one, err)
		}
		for _, name := range shards.WeightMap {
			if name != filepath.Base(name) || name == ".." {
				return nil, false, fmt.Errorf("%s.index.json names the file %.80q, which is not in the folder", k.one, name)
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names, k.torch, nil
	}
	return nil, false, errors.New("there is neither model.safetensors nor pytorch_model.bin, nor an index of shards")
}

func openCheckpoint(dir string) (*checkpoint, error) {
	names, torch, err := weightFiles(dir)
	if err != nil {
		return nil, err
	}
	c := &checkpoint{tensors: map[string]value{}, used: map[string]bool{}}
	for _, name := range names {
		if err := c.read(filepath.Join(dir, name), torch); err != nil {
			c.close()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return c, nil
}

func (c *checkpoint) read(path string, torch bool) error {
	m, err := gguf.Map(path)
	if err != nil {
		return err
	}
	c.mappings = append(c.mappings, m)
	return m.Guard(func() error {
		found := map[string]value{}
		if torch {
			if found, err = readTorch(m.Data()); err != nil {
				return err
			}
		} else {
			all, _, err := safetensors.Parse(m.Data())
			if err != nil {
				return err
			}
			for _, t := range all {
				found[t.Name] = value{t.Dtype, t.Shape, t.Data}
			}
		}
		for name, v := range found {
			if _, twice := c.tensors[name]; twice {
				return fmt.Errorf("tensor %.80q is in two files", name)
			}
			c.tensors[name] = v
		}
		return nil
	})
}
