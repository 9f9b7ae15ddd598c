// Package hf reads a folder of Hugging Face's transformers (config.json,
// safetensors or pytorch_model.bin, tokenizer.json) as if it were a GGUF file:
// [Open]. What transformers computes of the folder is what counts: windows,
// RoPE bases and activations that llama.cpp's converter loses are kept.
//
// Names and transformations of tensors are data, by family. Matrices that are
// stored as GGUF has them stay views of the mapped files; those that are
// transposed, permuted or joined are computed when the folder is opened. What
// cannot be kept is an error that names it.
package hf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// Is reports whether path is a folder with a config.json.
func Is(path string) bool {
	info, err := os.Stat(filepath.Join(path, "config.json"))
	return err == nil && info.Mode().IsRegular()
}

// Open reads the folder. The file that it returns owns the mappings of the
// folder's weights until it is closed. Its matrices have the types of the
// folder, vectors are F32.
func Open(dir string) (*gguf.File, error) {
	b, err := open(dir)
	if err != nil {
		return nil, fmt.Errorf("hf: %s: %w", dir, err)
	}
	return b.file(), nil
}

func open(dir string) (*builder, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	class := ""
	if all := c.strings("architectures"); len(all) > 0 {
		class = all[0]
	}
	kind := c.string("", "model_type")
	fam, ok := families[kind]
	if !ok {
		return nil, fmt.Errorf("config.json: the model_type %.60q is not supported; supported are %s", kind, strings.Join(Families(), ", "))
	}
	if fam.variant != nil {
		if v := fam.variant(c); v != nil {
			fam = v
		}
	}
	if fam.refused != "" {
		return nil, fmt.Errorf("config.json: the model_type %q is not supported: %s", kind, fam.refused)
	}
	if c.has("quantization_config") {
		return nil, errors.New("config.json: quantization_config: quantized weights are not read; take the folder with the original ones")
	}
	cp, err := openCheckpoint(dir)
	if err != nil {
		return nil, err
	}
	b := &builder{config: c, checkpoint: cp, family: fam, dir: dir, class: class, arch: fam.arch}
	if err := b.build(fam); err != nil {
		cp.close()
		return nil, err
	}
	return b, nil
}

// file returns the file, which owns the mappings of the checkpoint.
func (b *builder) file() *gguf.File { return gguf.Assemble(b.meta, b.tensors, b.mappings...) }

// Families lists the values of model_type that are read.
func Families() []string {
	var all []string
	for name, f := range families {
		if f.refused == "" {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// A builder makes the file of one folder.
type builder struct {
	*config
	*checkpoint
	family           *family
	dir, class, arch string
	name             string // of the model
	shape
	prefix  string // of the names of tensors, such as "model."
	meta    gguf.Meta
	tensors []gguf.Tensor
}

// shape is what the transformations of tensors need.
type shape struct {
	dim, layers, heads, kvHeads, headDim, ffn, context, rotary, experts int
	latent                                                              latentShape
}

func (b *builder) build(fam *family) error {
	b.set(arch.KeyArchitecture, fam.arch)
	if b.name == "" {
		b.name = filepath.Base(b.dir)
		if abs, err := filepath.Abs(b.dir); err == nil {
			b.name = filepath.Base(abs)
		}
	}
	b.set("general.name", b.name)
	b.common()
	fam.keys(b)
	if b.err != nil {
		return b.err
	}
	b.findPrefix(fam)
	for _, t := range fam.tensors {
		if err := b.tensor(t); err != nil {
			return err
		}
	}
	if err := b.leftover(fam); err != nil {
		return err
	}
	b.tokenTypes()
	if b.dir == "" { // it comes from a file
		return b.err
	}
	if err := b.pooling(); err != nil {
		return err
	}
	if err := readTokenizer(b.dir, b.config, &b.meta); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, ok := b.meta.Lookup(ggml + "model"); !ok { // it runs by token ids, which llama.cpp wants to be told
		b.set(ggml+"model", "none")
		b.u32("vocab_size", b.int(0, "vocab_size"))
	}
	return b.err
}

// tokenTypes counts the kinds of tokens of BERT and its relatives, which llama.cpp
// does not load without.
func (b *builder) tokenTypes() {
	count := 0
	if b.arch == "bert" {
		count = 1
	}
	for i := range b.tensors {
		if t := &b.tensors[i]; t.Name == "token_types.weight" && len(t.Dims) == 2 {
			count = t.Dims[1]
		}
	}
	if count > 0 {
		b.set(ggml+"token_type_count", uint32(count))
	}
}

// set sets a key of the metadata.
func (b *builder) set(key string, v any) {
	if err := b.meta.Set(key, v); err != nil {
		b.fail("%v", err)
	}
}

// u32, f32 and flag set keys of the architecture.
func (b *builder) u32(key string, v int) {
	if v < 0 {
		b.fail("%s comes out as %d", key, v)
		return
	}
	b.set(b.arch+"."+key, uint32(v))
}
func (b *builder) f32(key string, v float64)  { b.set(b.arch+"."+key, float32(v)) }
func (b *builder) flag(key string, v bool)    { b.set(b.arch+"."+key, v) }
func (b *builder) text(key string, v string)  { b.set(b.arch+"."+key, v) }
func (b *builder) bools(key string, v []bool) { b.set(b.arch+"."+key, v) }

// findPrefix finds what stands before the names of all tensors: classes with a
// head put the model's own name there, and old files do not.
func (b *builder) findPrefix(fam *family) {
	for _, p := range fam.prefixes {
		for name := range b.checkpoint.tensors {
			if strings.HasPrefix(name, p) {
				b.prefix = p
				return
			}
		}
	}
}

// take returns a tensor of the checkpoint, by its name with or without prefix.
func (b *builder) take(name string) (value, bool) {
	for _, n := range []string{b.prefix + name, name} {
		if v, ok := b.checkpoint.tensors[n]; ok {
			b.used[n] = true
			return v, true
		}
	}
	return value{}, false
}

// tensor makes the weight and the bias of a tensor of the file.
func (b *builder) tensor(t tensor) error {
	if !strings.Contains(t.name, "%d") {
		return b.layerTensor(t, -1)
	}
	for i := range b.layers {
		if err := b.layerTensor(t, i); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) layerTensor(t tensor, layer int) error {
	at := func(s string) string { return inLayer(s, layer) }
	for _, suffix := range []string{".weight", ".bias"} {
		var parts []value
		absent := 0
		for _, from := range b.sources(t, layer) {
			v, ok := b.take(at(from) + suffix)
			if !ok {
				absent++
			}
			parts = append(parts, v)
		}
		if absent == len(parts) {
			if suffix == ".bias" && t.zeroBias != nil {
				b.append(at(t.name)+suffix, float32s(make([]float32, t.zeroBias(b)), t.zeroBias(b)))
			}
			continue
		}
		if absent > 0 {
			return fmt.Errorf("some of the tensors %s%s are there, others are not", at(t.from), suffix)
		}
		v, err := joined(parts, t.experts != nil)
		if err == nil && t.conv1D {
			v, err = v.transposed()
		}
		for _, f := range t.as {
			if err == nil {
				v, err = f(b, v, layer, suffix == ".bias")
			}
		}
		if err == errUnused {
			continue
		}
		if err != nil {
			return fmt.Errorf("tensor %s%s: %w", at(t.from), suffix, err)
		}
		if err := b.append(strings.ReplaceAll(at(t.name), " ", "")+suffix, v); err != nil {
			return fmt.Errorf("tensor %s%s: %w", at(t.from), suffix, err)
		}
	}
	return nil
}

// inLayer is the name of a tensor in a layer.
func inLayer(name string, layer int) string {
	if layer < 0 {
		return name
	}
	return strings.ReplaceAll(name, "%d", fmt.Sprint(layer))
}

// sources are the names of the tensors that a tensor is made of.
func (b *builder) sources(t tensor, layer int) []string {
	if t.experts == nil {
		return strings.Fields(t.from)
	}
	var all []string
	for e := range t.experts(b) {
		all = append(all, strings.ReplaceAll(t.from, "%e", fmt.Sprint(e)))
	}
	return all
}

// append adds a tensor to the file. Vectors become F32.
func (b *builder) append(name string, v value) error {
	if len(v.shape) < 2 && v.dtype != "F32" {
		x, err := v.floats()
		if err != nil {
			return err
		}
		v = float32s(x, v.shape...)
	}
	typ, ok := types[v.dtype]
	if !ok {
		return fmt.Errorf("is of dtype %s; weights are F32, F16 or BF16", v.dtype)
	}
	if len(v.data) == 0 {
		return fmt.Errorf("has the shape %d, no element", v.shape)
	}
	dims := slices.Clone(v.shape)
	slices.Reverse(dims)
	if len(dims) == 0 {
		dims = []int{1}
	}
	b.tensors = append(b.tensors, gguf.Tensor{Name: name, Type: typ, Dims: dims, Data: v.data})
	return nil
}

// KeyUnread is the metadata key of the names of tensors that the folder has
// beside those of its family.
const KeyUnread = "normswap.unread_tensors"

// leftover refuses tensors of layers that no one read, but for the buffers of
// old files.
func (b *builder) leftover(fam *family) error {
	var unread, beside []string
	for name := range b.checkpoint.tensors {
		known := slices.ContainsFunc(slices.Concat(buffers, fam.unused), func(s string) bool {
			return strings.HasSuffix(name, s) || strings.HasPrefix(name, s)
		})
		switch {
		case b.used[name] || known:
		case strings.ContainsAny(name, "0123456789"): // within the layers
			unread = append(unread, name)
		default:
			beside = append(beside, name)
		}
	}
	if len(beside) > 0 { // transformers does not read them either
		slices.Sort(beside)
		b.set(KeyUnread, beside)
	}
	if len(unread) == 0 {
		return nil
	}
	slices.Sort(unread)
	return fmt.Errorf("tensor %.80q is none of the family's (%d such)", unread[0], len(unread))
}

// buffers are constants that old versions stored beside the weights.
var buffers = []string{".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq", ".position_ids", "position_ids"}

// TypeOf returns the type in which llama.cpp's converter stores a tensor of a
// file whose matrices are to be of type t: vectors, norms, positions and
// routers stay F32.
func TypeOf(name string, dims []int, t quant.Type) quant.Type {
	keep := len(dims) < 2 || strings.HasSuffix(name, "_norm.weight")
	for _, s := range []string{"ffn_gate_inp.", "position_embd.", "token_types.", "rope_freqs.", "rope_factors_", "position_bias."} {
		keep = keep || strings.Contains(name, s)
	}
	if keep {
		return quant.F32
	}
	return t
}
