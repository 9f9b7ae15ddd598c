package hf

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/normswap/normswap/internal/whole"
	"github.com/normswap/normswap/safetensors"
)

// companions are the files that go with the weights as they are.
var companions = []string{
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model", "spiece.model",
	"sentencepiece.bpe.model", "vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja", "chat_template.json", "generation_config.json",
	"LICENSE*", "NOTICE*",
}

// Write writes the folder, which must be new or empty: config.json, safetensors,
// the tokenizer's files and a README.md that says what was done. It is whole, or
// is not there.
func (e *Export) Write(ctx context.Context, dir string) error {
	if err := CheckTarget(dir); err != nil {
		return err
	}
	return whole.Files(ctx, dir, "config.json", func(temp string) error {
		guard := e.file.Guard
		if e.source != nil {
			guard = e.source.Guard
		}
		return guard(func() error { return e.write(ctx, temp) })
	})
}

// CheckTarget tells why [Export.Write] cannot write a folder.
func CheckTarget(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("hf: %w", err)
	case len(entries) > 0:
		return fmt.Errorf("hf: %s has files already; name a folder that is new or empty", dir)
	}
	return nil
}

func (e *Export) write(ctx context.Context, dir string) error {
	if err := e.writeShards(ctx, dir); err != nil {
		return err
	}
	if err := e.copyCompanions(dir); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "config.json"), e.config); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "README.md"), []byte(e.readme()), 0o666)
}

func writeJSON(path string, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o666)
}

// writeShards writes the weights: one file, or several and their index.
func (e *Export) writeShards(ctx context.Context, dir string) error {
	slices.SortFunc(e.tensors, func(a, b *exported) int { return strings.Compare(a.name, b.name) })
	var shards [][]*exported
	limit := cmp.Or(e.opts.ShardBytes, DefaultShardBytes)
	total, size := e.Report.Bytes, int64(0)
	for _, t := range e.tensors {
		n, err := t.info().Bytes()
		if err != nil {
			return err
		}
		if len(shards) == 0 || size+n > limit {
			shards, size = append(shards, nil), 0
		}
		last := len(shards) - 1
		shards[last] = append(shards[last], t)
		size += n
	}
	var done int64
	places := map[string]string{}
	for i, tensors := range shards {
		name := "model.safetensors"
		if len(shards) > 1 {
			name = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		}
		for _, t := range tensors {
			places[t.name] = name
		}
		err := e.writeShard(ctx, filepath.Join(dir, name), tensors, func(n int) {
			done += int64(n)
			if e.opts.Progress != nil {
				e.opts.Progress(min(done, total), total)
			}
		})
		if err != nil {
			return err
		}
	}
	if len(shards) == 1 {
		return nil
	}
	return writeJSON(filepath.Join(dir, "model.safetensors.index.json"), map[string]any{
		"metadata": map[string]any{"total_size": total}, "weight_map": places,
	})
}

func (t *exported) info() *safetensors.Info {
	return &safetensors.Info{Name: t.name, Dtype: t.dtype, Shape: t.value.shape}
}

func (e *Export) writeShard(ctx context.Context, path string, tensors []*exported, done func(n int)) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffered := bufio.NewWriterSize(f, 1<<20)
	var infos []safetensors.Info
	for _, t := range tensors {
		infos = append(infos, *t.info())
	}
	w, err := safetensors.NewWriter(pieces{ctx, buffered, done}, map[string]string{"format": "pt"}, infos)
	if err != nil {
		return err
	}
	for _, t := range tensors {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := t.data()
		if err != nil {
			return err
		}
		if err := w.Tensor(data); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), buffered.Flush())
}

// pieces is a writer that looks at ctx before every piece.
type pieces struct {
	ctx  context.Context
	w    io.Writer
	done func(n int)
}

func (p pieces) Write(b []byte) (n int, err error) {
	const piece = 16 << 20
	for len(b) > 0 && err == nil {
		if err = p.ctx.Err(); err != nil {
			break
		}
		var m int
		m, err = p.w.Write(b[:min(len(b), piece)])
		p.done(m)
		b, n = b[m:], n+m
	}
	return n, err
}

// copyCompanions copies the tokenizer's files.
func (e *Export) copyCompanions(dir string) error {
	if e.tokenize == "" {
		return nil
	}
	entries, err := os.ReadDir(e.tokenize)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if !slices.ContainsFunc(companions, func(pattern string) bool { ok, _ := filepath.Match(pattern, name); return ok }) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(e.tokenize, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// readme says what was done.
func (e *Export) readme() string {
	var s strings.Builder
	name := e.b.name
	fmt.Fprintf(&s, "# %s, folded\n\n", name)
	fmt.Fprintf(&s, "Made of %s (`model_type` %s) by `infer fold --format safetensors` of normswap.\n", name, e.Report.Source)
	fmt.Fprintf(&s, "What LayerNorm's removal of the mean does is in the weights: every term that is added to the\nresidual stream has the mean 0 over its %d elements. The model computes what its source does.\n\n", e.b.dim)
	if e.opts.As == "llama" {
		s.WriteString("It is a `LlamaForCausalLM`: its norms are RMSNorms with gains of 1 and the source's epsilon.\n")
	} else {
		fmt.Fprintf(&s, "It is a LayerNorm model of the source's class, whose norms have no mean to remove; RMSNorm with the\nsame gains, biases and epsilon computes the same.\n")
	}
	if e.untied {
		s.WriteString("The source's head was its embedding; the head has a tensor of its own now, which is the embedding\nas it was (`tie_word_embeddings` is false).\n")
	}
	fmt.Fprintf(&s, "\n%d tensors were changed, computed in float64; the largest mean that their stored form has left is %.1e.\n\n", len(e.Report.Changed), e.Report.LargestMean)
	s.WriteString("| tensor | from | to | relative error of storing it |\n|---|---|---|---|\n")
	for _, c := range e.Report.Changed {
		fmt.Fprintf(&s, "| %s | %s | %s | %.1e |\n", c.Name, c.From, c.To, c.Relative())
	}
	s.WriteString("\nThe steps:\n\n```\n" + e.Plan.String() + "```\n\nTo run it: `infer FOLDER`, `vllm serve FOLDER`, or in Python\n\n```python\nfrom transformers import AutoModelForCausalLM\nmodel = AutoModelForCausalLM.from_pretrained(\"FOLDER\")\n```\n")
	return s.String()
}
