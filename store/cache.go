package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Ref names what is in a repository of Hugging Face.
type Ref struct {
	Repo     string // ORG/REPO, or REPO alone for the oldest models
	Revision string // a branch, tag or commit; "main" if none is named
	File     string // a file, or a part of the name of one in GGUF; "" if none is named
	explicit bool   // the name begins with hf:
}

func (r Ref) String() string {
	s := "hf:" + r.Repo
	if r.Revision != "main" {
		s += "@" + r.Revision
	}
	if r.File != "" {
		s += ":" + r.File
	}
	return s
}

var (
	repoName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,95})?$`)
	revision = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$`)
)

// ParseRef reads [hf:]ORG/REPO[@REVISION][:FILE]. Without hf: the organization is
// necessary.
func ParseRef(name string) (Ref, error) {
	rest, explicit := strings.CutPrefix(name, "hf:")
	repo, file, _ := strings.Cut(rest, ":")
	repo, rev, at := strings.Cut(repo, "@")
	r := Ref{Repo: repo, Revision: "main", File: file, explicit: explicit}
	if at {
		r.Revision = rev
	}
	if !repoName.MatchString(repo) || strings.Contains(repo, "..") || strings.Contains(repo, "--") || !explicit && !strings.Contains(repo, "/") {
		return Ref{}, fmt.Errorf("store: %.80q does not name a repository; such a name is hf:ORG/REPO, hf:ORG/REPO@REVISION or hf:ORG/REPO:FILE", name)
	}
	if !revision.MatchString(r.Revision) || strings.Contains(r.Revision, "..") {
		return Ref{}, fmt.Errorf("store: %.80q does not name a revision", r.Revision)
	}
	if file != "" && !filepath.IsLocal(filepath.FromSlash(file)) {
		return Ref{}, fmt.Errorf("store: %.80q does not name a file of a repository", file)
	}
	return r, nil
}

// A cache is the folder in which huggingface_hub keeps repositories.
type cache string

// cacheDirs returns the cache, by the variables of huggingface_hub.
func cacheDirs() cache {
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		if dir := os.Getenv(name); dir != "" {
			return cache(dir)
		}
	}
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return cache(filepath.Join(dir, "hub"))
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return cache(filepath.Join(dir, "huggingface", "hub"))
	}
	return cache(home(".cache", "huggingface", "hub"))
}

func (c cache) repo(r Ref) string {
	return filepath.Join(string(c), "models--"+strings.ReplaceAll(r.Repo, "/", "--"))
}

// snapshot returns the folder of the files of a revision.
func (c cache) snapshot(r Ref) (string, error) {
	repo := c.repo(r)
	commit := r.Revision
	b, err := os.ReadFile(filepath.Join(repo, "refs", filepath.FromSlash(r.Revision)))
	if err == nil {
		commit = strings.TrimSpace(string(b))
	}
	dir := filepath.Join(repo, "snapshots", commit)
	if info, err := os.Stat(dir); commit == "" || strings.ContainsAny(commit, `/\`) || err != nil || !info.IsDir() {
		return "", notFound("%s in %s", r, string(c))
	}
	return dir, nil
}

func (c cache) find(r Ref) (string, error) {
	dir, err := c.snapshot(r)
	if err != nil {
		return "", err
	}
	names, err := filesBelow(dir)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	if r.File == "" && slices.Contains(names, "config.json") && slices.ContainsFunc(names, isWeights) {
		return dir, nil
	}
	picked, err := pick(names, r)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.FromSlash(picked[0])), nil
}

// filesBelow lists the files of a snapshot, with slashes. Links to blobs that are
// missing do not count.
func filesBelow(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isFile(path) {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	return names, err
}

// isWeights reports whether a file in the first folder holds weights that package
// hf reads.
func isWeights(name string) bool {
	return !strings.Contains(name, "/") && (isSafetensors(name) || isPickle(name))
}

func isSafetensors(name string) bool {
	return strings.HasPrefix(name, "model") && (strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".safetensors.index.json"))
}

func isPickle(name string) bool {
	return strings.HasPrefix(name, "pytorch_model") && (strings.HasSuffix(name, ".bin") || strings.HasSuffix(name, ".bin.index.json"))
}

// later matches all files of a set in GGUF but the first.
var (
	later = regexp.MustCompile(`-0*([2-9]|[1-9][0-9]+)-of-[0-9]{5}\.gguf$`)
	first = regexp.MustCompile(`-00001-of-([0-9]{5})\.gguf$`)
)

// pick returns the files that a name stands for: the one that it names, or the only
// GGUF file whose name has it within, with the other files of its set.
func pick(names []string, r Ref) ([]string, error) {
	if r.File != "" && slices.Contains(names, r.File) && !first.MatchString(r.File) {
		return []string{r.File}, nil
	}
	var found []string
	for _, n := range names {
		if strings.HasSuffix(n, ".gguf") && !later.MatchString(n) && strings.Contains(strings.ToLower(n), strings.ToLower(r.File)) {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	switch len(found) {
	case 0:
		return nil, notFound("%s: it has no such file in GGUF", r)
	case 1:
	default:
		if !slices.Contains(found, r.File) {
			return nil, fmt.Errorf("store: %s stands for %d files; name one of them: %s", r, len(found), few(found))
		}
		found = []string{r.File}
	}
	part := first.FindStringSubmatchIndex(found[0])
	if part == nil {
		return found, nil
	}
	for _, n := range names {
		if later.MatchString(n) && strings.HasPrefix(n, found[0][:part[0]]+"-") && strings.HasSuffix(n, found[0][part[2]-4:]) {
			found = append(found, n)
		}
	}
	return found, nil
}

// few joins names, not all of very many.
func few(names []string) string {
	const show = 12
	if len(names) > show {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:show], ", "), len(names)-show)
	}
	return strings.Join(names, ", ")
}

func (c cache) list() (all []Model) {
	refs, err := filepath.Glob(filepath.Join(globQuote(string(c)), "models--*", "refs", "*"))
	if err != nil {
		return nil
	}
	for _, ref := range refs {
		repo := strings.TrimPrefix(filepath.Base(filepath.Dir(filepath.Dir(ref))), "models--")
		r := Ref{Repo: strings.ReplaceAll(repo, "--", "/"), Revision: filepath.Base(ref)}
		dir, err := c.snapshot(r)
		if err != nil {
			continue
		}
		names, err := filesBelow(dir)
		if err != nil {
			continue
		}
		add := func(r Ref, path string, files []string) {
			m := Model{Name: r.String(), Store: HuggingFace, Path: path}
			for _, f := range files {
				if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(f))); err == nil {
					m.Bytes += info.Size()
					if info.ModTime().After(m.Modified) {
						m.Modified = info.ModTime()
					}
				}
			}
			all = append(all, m)
		}
		if weights := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !isWeights(n) }); len(weights) > 0 && slices.Contains(names, "config.json") {
			add(r, dir, weights)
		}
		for _, n := range names {
			if r.File = n; strings.HasSuffix(n, ".gguf") && !later.MatchString(n) {
				files, err := pick(names, r)
				if err != nil && !errors.Is(err, ErrNotFound) {
					continue
				}
				add(r, filepath.Join(dir, filepath.FromSlash(n)), files)
			}
		}
	}
	return all
}
