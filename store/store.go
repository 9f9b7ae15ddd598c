// Package store finds models by the names that people give them: those in Ollama's
// store, in Hugging Face's cache, and, after a [Hub.Pull], of a repository there.
//
//	llama3.2:1b, registry.ollama.ai/library/llama3.2:1b   Ollama
//	hf:ORG/REPO, ORG/REPO, hf:ORG/REPO@REVISION           Hugging Face
//	hf:ORG/REPO:FILE                                      a GGUF file of several
//
// The layouts are those of Ollama (manifests that name blobs by their SHA-256) and
// of huggingface_hub (blobs, snapshots by commit, refs by branch).
package store

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Model is one that is on this machine.
type Model struct {
	Name     string    `json:"name"` // that Find takes
	Store    string    `json:"store"`
	Path     string    `json:"path"`  // a GGUF file, or a folder of transformers
	Bytes    int64     `json:"bytes"` // of the files of weights
	Modified time.Time `json:"modified"`
}

// The stores.
const (
	Ollama      = "ollama"
	HuggingFace = "huggingface"
)

// ErrNotFound tells that no store has a model of the name.
var ErrNotFound = errors.New("store: no such model")

// Find returns the path of the model that a name stands for: a GGUF file, or a
// folder of transformers. It is [ErrNotFound] if no store has it. Another error
// tells what is wrong with what is there, or that the name stands for several.
func Find(name string) (string, error) {
	ref, err := ParseRef(name)
	if err == nil {
		path, err := cacheDirs().find(ref)
		if ref.explicit || !errors.Is(err, ErrNotFound) {
			return path, err
		}
	}
	return findOllama(name)
}

// List returns the models of all stores, by name. Entries that cannot be read are
// left out.
func List() []Model {
	all := append(listOllama(), cacheDirs().list()...)
	slices.SortFunc(all, func(a, b Model) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Store, b.Store)) })
	return all
}

// home returns a folder below the user's home; "" if there is none.
func home(parts ...string) string {
	dir, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func notFound(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotFound, fmt.Sprintf(format, args...))
}
