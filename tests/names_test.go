package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// nameRules say which packages may spell which names of GGUF. A literal that
// matches a rule stands in one of its packages.
var nameRules = []struct {
	what    string
	pattern *regexp.Regexp
	in      []string
}{
	{"the name of a tensor", regexp.MustCompile(`^\S*(attn_|ffn_|ffn\.|_embd|output_norm|rope_f|post_attention|post_ffw)\S*$|^blk\.\S*$|^\S*\.(weight|bias)$`), []string{"arch"}},
	{"a key of an architecture", regexp.MustCompile(`^\S*(attention|rope|expert)[._][a-z_.]+$|^\S*\b(embedding_length|block_count|context_length|feed_forward_length|use_parallel_residual|logit_scale|\w+_softcapping)$`), []string{"arch"}},
	// gguf reads it to say what the parts of a model are, and llama.cpp's ids
	// depend on it in two.
	{"the key of the architecture", regexp.MustCompile(`^general\.architecture$`), []string{"arch", "gguf", "tokenizer"}},
	// The container has an alignment, a folded file notes its parent, and some
	// vocabularies are known by the name of their model alone.
	{"a general key", regexp.MustCompile(`^general\.`), []string{"arch", "gguf", "fold", "tokenizer"}},
	// arch tells a vocabulary and a part of a model from a model.
	{"a key of the vocabulary", regexp.MustCompile(`^tokenizer\.`), []string{"tokenizer", "chat", "arch"}},
	{"a key of the parts of a file", regexp.MustCompile(`^split\.`), []string{"gguf", "arch"}},
}

// nameExceptions are packages that spell names for a reason.
var nameExceptions = map[string]string{
	"internal/toy":   "makes up files, and would prove nothing with the names of the package that reads them",
	"examples/hooks": "a program of a user, who names a norm",
}

// TestNamesOfGGUF: the names of tensors and the keys of the metadata stand
// where their meaning does.
func TestNamesOfGGUF(t *testing.T) {
	found := map[string]int{}
	root := testdata.Root()
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, err := os.Stat(filepath.Join(file, "go.mod"))
			if file != root && (err == nil || strings.HasPrefix(d.Name(), "_") || strings.HasPrefix(d.Name(), ".")) {
				return fs.SkipDir // a module of its own, or not for the go command
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(dir)
		if _, excepted := nameExceptions[pkg]; excepted {
			found[pkg]++
			return nil
		}
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		tags := map[*ast.BasicLit]bool{}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok && f.Tag != nil {
				tags[f.Tag] = true // names of JSON
			}
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING || tags[lit] {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range nameRules {
				if !r.pattern.MatchString(text) {
					continue
				}
				found[r.what]++
				if !slices.Contains(r.in, pkg) {
					t.Errorf("%s: %q is %s, which may stand in %s", files.Position(lit.Pos()), text, r.what, strings.Join(r.in, ", "))
				}
				break
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range nameRules {
		if found[r.what] == 0 {
			t.Errorf("no literal is %s", r.what)
		}
	}
	for pkg := range nameExceptions {
		if found[pkg] == 0 {
			t.Errorf("the exception %s has no files", pkg)
		}
	}
}
