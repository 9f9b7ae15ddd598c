package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ollamaDirs are the stores that there may be: the variable of Ollama, the user's
// own, and that of the service on Linux.
func ollamaDirs() []string {
	if dir := os.Getenv("OLLAMA_MODELS"); dir != "" {
		return []string{dir}
	}
	dirs := []string{"/usr/share/ollama/.ollama/models"}
	if dir := home(".ollama", "models"); dir != "" {
		dirs = append([]string{dir}, dirs...)
	}
	return dirs
}

// The parts that a name in Ollama need not have.
const (
	ollamaHost  = "registry.ollama.ai"
	ollamaSpace = "library"
	ollamaTag   = "latest"
)

var (
	part   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	host   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._:-]{0,255}$`)
	digest = regexp.MustCompile(`^sha256[:-]([0-9a-f]{64})$`)
)

// manifestPath returns where the manifest of a name, [HOST/][SPACE/]NAME[:TAG],
// lies below manifests; false if it cannot be such a name.
func manifestPath(name string) (string, bool) {
	dir, last := "", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		dir, last = name[:i], name[i+1:]
	}
	model, tag, tagged := strings.Cut(last, ":")
	if !tagged {
		tag = ollamaTag
	}
	parts := []string{ollamaHost, ollamaSpace}
	switch before := strings.Split(dir, "/"); {
	case dir == "":
	case len(before) == 1:
		parts[1] = before[0]
	case len(before) == 2:
		copy(parts, before)
	default:
		return "", false
	}
	if !host.MatchString(parts[0]) || !part.MatchString(parts[1]) || !part.MatchString(model) || !part.MatchString(tag) {
		return "", false
	}
	return filepath.Join(parts[0], parts[1], model, tag), true
}

func findOllama(name string) (string, error) {
	at, ok := manifestPath(name)
	if !ok {
		return "", notFound("%.80q", name)
	}
	for _, dir := range ollamaDirs() {
		path, _, err := ollamaBlob(dir, filepath.Join(dir, "manifests", at))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("store: %s in Ollama's store: %w", name, err)
		}
		return path, nil
	}
	return "", notFound("%.80q", name)
}

// ollamaBlob returns the file of weights that a manifest names.
func ollamaBlob(dir, manifest string) (path string, size int64, err error) {
	info, err := os.Stat(manifest)
	if err != nil {
		return "", 0, err
	}
	const limit = 1 << 20
	if !info.Mode().IsRegular() || info.Size() > limit {
		return "", 0, fmt.Errorf("%s is no manifest", manifest)
	}
	b, err := os.ReadFile(manifest)
	if err != nil {
		return "", 0, err
	}
	var m struct {
		Layers []struct {
			MediaType, Digest string
			Size              int64
		}
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return "", 0, fmt.Errorf("%s: %w", manifest, err)
	}
	for _, l := range m.Layers {
		if l.MediaType != "application/vnd.ollama.image.model" {
			continue
		}
		sum := digest.FindStringSubmatch(l.Digest)
		if sum == nil {
			return "", 0, fmt.Errorf("%s: the digest %.80q is no SHA-256", manifest, l.Digest)
		}
		path = filepath.Join(dir, "blobs", "sha256-"+sum[1])
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", 0, fmt.Errorf("its file %s is missing", path)
		case err != nil:
			return "", 0, err
		case l.Size != 0 && info.Size() != l.Size:
			return "", 0, fmt.Errorf("its file %s has %d bytes, want %d", path, info.Size(), l.Size)
		}
		return path, info.Size(), nil
	}
	return "", 0, fmt.Errorf("%s names no model in GGUF", manifest)
}

func listOllama() (all []Model) {
	for _, dir := range ollamaDirs() {
		root := filepath.Join(dir, "manifests")
		found, err := filepath.Glob(filepath.Join(globQuote(root), "*", "*", "*", "*"))
		if err != nil {
			continue
		}
		for _, manifest := range found {
			path, size, err := ollamaBlob(dir, manifest)
			if err != nil {
				continue
			}
			rel, err := filepath.Rel(root, manifest)
			if err != nil {
				continue
			}
			p := strings.Split(filepath.ToSlash(rel), "/")
			name := p[2] + ":" + p[3]
			if p[0] != ollamaHost {
				name = p[0] + "/" + p[1] + "/" + name
			} else if p[1] != ollamaSpace {
				name = p[1] + "/" + name
			}
			m := Model{Name: name, Store: Ollama, Path: path, Bytes: size}
			if info, err := os.Stat(manifest); err == nil {
				m.Modified = info.ModTime()
			}
			all = append(all, m)
		}
	}
	return all
}

// globQuote makes a folder's name a pattern that matches it.
func globQuote(s string) string {
	if filepath.Separator == '\\' { // where it cannot be quoted
		return s
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
