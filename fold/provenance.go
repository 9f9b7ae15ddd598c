package fold

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// Version is that of the keys that a folded file carries under "normswap.".
// They tell where the file comes from; what it is, is measured on loading.
const Version = "1"

// LevelReaders is the level of a file whose readers are folded and whose writers are not.
const LevelReaders = "readers"

const (
	tagFolded       = "rms-folded"
	tagReaders      = "rms-readers"
	keyFileType     = "general.file_type"
	keyVersion      = "normswap.version"
	keyLevel        = "normswap.level"
	keySourceNorm   = "normswap.source.norm"
	keySourceArch   = "normswap.source.architecture"
	keySourceSHA256 = "normswap.source.sha256"
	keyLargestMean  = "normswap.largest_mean"
	keyRequantized  = "normswap.requantised"
)

// parent are the keys under "general." that tell what a model is, and that
// its offspring has under "general.base_model.0.".
var parent = []string{"name", "author", "version", "organization", "description", "url", "doi", "uuid", "repo_url"}

// describe writes the report's totals and the keys that tell where the file
// comes from.
func (o *Output) describe(to *arch.Spec) error {
	m := o.model
	o.Report.Source, o.Report.Arch = m.Spec.Name, m.Spec.Name
	o.Report.SourceHash, o.Report.Strategy = o.opts.SourceSHA256, o.opts.Strategy
	if to != nil {
		o.Report.Arch = to.Name
	}
	for _, s := range o.Plan.Steps {
		o.Report.Steps = append(o.Report.Steps, s.String())
	}
	before, after := map[quant.Type]int64{}, map[quant.Type]int64{}
	for _, it := range o.items {
		size, err := it.rowBytes()
		if err != nil {
			return err
		}
		rows, _ := it.shape()
		o.Report.Bytes += int64(rows) * int64(size)
		if f, _ := it.info.Type.Format(); f.Items > 1 && !it.verbatim() {
			o.Report.Requantized = true
		}
		after[it.info.Type] += it.weights()
		if it.from != nil {
			before[it.from.Type] += it.weights()
		}
	}
	if now := most(after); now != most(before) {
		o.meta.Delete(keyFileType)
		if number, ok := fileTypes[now]; ok {
			if err := o.meta.Set(keyFileType, number); err != nil {
				return err
			}
		}
	}
	level := "mean"
	switch {
	case o.opts.Gain:
		level = "mean+gain"
	case o.opts.Readers:
		level = LevelReaders
	}
	tag := o.tag()
	norm := "LayerNorm"
	if m.Spec.TrainedLayerNorm {
		norm = "LayerNorm, run as RMSNorm"
	}
	tags, err := gguf.GetOr(o.meta, "general.tags", []string(nil))
	if err != nil {
		return fmt.Errorf("fold: %w", err)
	}
	if !slices.Contains(tags, tag) {
		tags = append(slices.Clone(tags), tag)
	}
	for _, kv := range o.meta.All() {
		if strings.HasPrefix(kv.Key, "general.base_model.") {
			o.meta.Delete(kv.Key) // of the model's own parent
		}
	}
	keys := []gguf.KV{
		{Key: "general.finetune", Value: tag},
		{Key: "general.tags", Value: tags},
		{Key: "general.base_model.count", Value: uint32(1)},
	}
	for _, k := range parent {
		if v, ok := o.meta.Lookup("general." + k); ok {
			keys = append(keys, gguf.KV{Key: "general.base_model.0." + k, Value: v})
		}
	}
	keys = append(keys, []gguf.KV{
		{Key: keyVersion, Value: Version},
		{Key: keyLevel, Value: level},
		{Key: keySourceNorm, Value: norm},
		{Key: keySourceArch, Value: m.Spec.Name},
		{Key: keyLargestMean, Value: float32(0)}, // measure fills it in
		{Key: keyRequantized, Value: o.Report.Requantized},
	}...)
	if o.opts.SourceSHA256 != "" {
		keys = append(keys, gguf.KV{Key: keySourceSHA256, Value: o.opts.SourceSHA256})
	}
	for _, kv := range keys {
		if err := o.meta.Set(kv.Key, kv.Value); err != nil {
			return err
		}
	}
	return nil
}

// most returns the type of most of the weights.
func most(weights map[quant.Type]int64) quant.Type {
	var top quant.Type
	for t, n := range weights {
		if n > weights[top] || n == weights[top] && t < top {
			top = t
		}
	}
	return top
}

// fileTypes are the values of general.file_type for files that are mostly of
// one type (enum llama_ftype in llama.cpp's llama.h).
var fileTypes = map[quant.Type]uint32{
	quant.F32: 0, quant.F16: 1, quant.Q4_0: 2, quant.Q4_1: 3, quant.Q8_0: 7, quant.Q5_0: 8, quant.Q5_1: 9,
	quant.Q4_K: 14, quant.Q5_K: 16, quant.Q6_K: 18, quant.BF16: 32,
}

// mixtures are the names of the values of general.file_type that are no
// type's own.
var mixtures = map[uint32]string{
	10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 38: "MXFP4_MOE",
}

// maxPart bounds what a part of a file name takes of the metadata.
const maxPart = 60

// unfit are the characters that are not kept in a file name.
var unfit = regexp.MustCompile(`[^A-Za-z0-9._]+`)

// tag is what the file says it is.
func (o *Output) tag() string {
	if o.opts.Readers {
		return tagReaders
	}
	return tagFolded
}

// FileName returns the name of the file by the GGUF convention:
// BaseName-SizeLabel-FineTune-Version-Encoding.gguf.
func (o *Output) FileName() string {
	get := func(key string) string {
		v, err := gguf.GetOr(o.meta, key, "")
		if err != nil {
			return ""
		}
		v = unfit.ReplaceAllString(v[:min(len(v), maxPart)], "-")
		return strings.Trim(v, "-.")
	}
	base := cmp.Or(get("general.basename"), get("general.name"), o.Report.Arch)
	version := cmp.Or(get("general.version"), "1.0")
	parts := []string{base}
	if size := get("general.size_label"); size != "" {
		parts = append(parts, size)
	}
	parts = append(parts, o.tag(), "v"+strings.TrimPrefix(version, "v"), o.encoding())
	return strings.Join(parts, "-") + ".gguf"
}

// encoding names the type that holds most of the weights, or the mixture that
// the file is.
func (o *Output) encoding() string {
	weights := map[quant.Type]int64{}
	for _, it := range o.items {
		weights[it.info.Type] += it.weights()
	}
	if n, err := gguf.Get[uint32](o.meta, keyFileType); err == nil && mixtures[n] != "" {
		return mixtures[n]
	}
	return most(weights).String()
}
