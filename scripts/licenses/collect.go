package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// A part is a module, or other software or data, that is in the binary.
type part struct {
	name, version string
	data          bool     // no software
	sum           string   // of go.sum: "h1:..."
	ids, texts    []string // the SPDX names and the texts of its licenses
}

// allowed are the licenses whose terms a release meets by carrying their texts.
var allowed = []string{
	"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "FTL", "ISC", "MIT", "OFL-1.1", "Unlicense", "Zlib",
}

// chosen names the license file of modules that offer several to choose from,
// and its SPDX name.
var chosen = map[string][2]string{
	"github.com/golang/freetype": {"licenses/ftl.txt", "FTL"},
}

// others are the parts that are no modules: the file with the license's text,
// from the repository's root.
var others = []struct {
	part
	file string
}{
	{part{name: "ggml: the grids of the IQ types (quant/grids.go)"}, "quant/LICENSE-ggml"},
	{part{name: "fairy-tales-5.5M-layernorm-Q8_0 and held-out fairy tales", data: true}, "internal/tales/LICENSE"},
}

// collect returns the parts of the binaries for these platforms, by name.
func collect(platforms []string) ([]part, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	files := map[string][]string{} // license files by "module version sum"
	for _, p := range platforms {
		if err := licenseFiles(root, p, files); err != nil {
			return nil, err
		}
	}
	var parts []part
	for key, paths := range files {
		f := strings.Split(key, " ")
		p, err := read(part{name: f[0], version: f[1], sum: f[2]}, slices.Compact(slices.Sorted(slices.Values(paths))))
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	goroot, err := output(root, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	std, err := read(part{name: "Go standard library"}, []string{filepath.Join(goroot, "LICENSE")})
	if err != nil {
		return nil, err
	}
	parts = append(parts, std)
	for _, o := range others {
		p, err := read(o.part, []string{filepath.Join(root, filepath.FromSlash(o.file))})
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return parts, nil
}

const module = "github.com/normswap/normswap"

// licenseName matches the files whose terms a copy must carry. Files of
// patents add rights and ask for nothing.
var licenseName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)([-.](md|txt|sil))?$`)

// licenseFiles adds the license files of all modules in a platform's binary:
// those in each module's root, and in the folders down to the packages that are
// linked.
func licenseFiles(root, platform string, files map[string][]string) error {
	goos, goarch, _ := strings.Cut(platform, "/")
	env := []string{"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + goarch, "GOFLAGS="}
	list, err := output(root, env, "go", "list", "-deps", "-json=Dir,Module", "./cmd/infer")
	if err != nil {
		return fmt.Errorf("%s: %w", platform, err)
	}
	for dec := json.NewDecoder(strings.NewReader(list)); ; {
		var pkg struct {
			Dir    string
			Module *struct {
				Path, Version, Dir, Sum string
				Main                    bool
				Replace                 *struct{ Path string }
			}
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		m := pkg.Module
		if m == nil || m.Main {
			continue
		}
		if m.Replace != nil {
			return fmt.Errorf("%s is replaced by %s", m.Path, m.Replace.Path)
		}
		key := strings.Join([]string{m.Path, m.Version, m.Sum}, " ")
		if c, ok := chosen[m.Path]; ok {
			files[key] = append(files[key], filepath.Join(m.Dir, filepath.FromSlash(c[0])))
			continue
		}
		for dir := pkg.Dir; ; dir = filepath.Dir(dir) {
			entries, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			for _, e := range entries {
				if licenseName.MatchString(e.Name()) {
					files[key] = append(files[key], filepath.Join(dir, e.Name()))
				}
			}
			if dir == m.Dir {
				break
			}
		}
		if files[key] == nil {
			return fmt.Errorf("%s has no license file", m.Path)
		}
	}
}

// read reads and names the licenses of a part.
func read(p part, files []string) (part, error) {
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return p, err
		}
		p.texts = append(p.texts, string(text))
		ids := []string{chosen[p.name][1]}
		if ids[0] == "" {
			// The rest of the text is names and titles.
			c := licensecheck.Scan(text)
			ids = nil
			for _, m := range c.Match {
				ids = append(ids, m.ID)
			}
			if c.Percent < 75 || len(ids) == 0 {
				return p, fmt.Errorf("%s: %s is %.0f %% a known license %v: read it, then name it in `chosen`", p.name, f, c.Percent, ids)
			}
		}
		for _, id := range ids {
			if !slices.Contains(allowed, id) {
				return p, fmt.Errorf("%s: %s is %s, which is not among the licenses that are allowed", p.name, f, id)
			}
		}
		p.ids = append(p.ids, ids...)
	}
	return p, nil
}

// output runs a command and returns what it prints, without space around it.
func output(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr, cmd.Env = dir, &stderr, append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}
