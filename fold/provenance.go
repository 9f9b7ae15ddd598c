package fold

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/normswap/normswap/gguf"
)

// Version is that of the keys that a folded file carries under "normswap.".
// They tell where the file comes from; what it is, is measured on loading.
const Version = "1"

// describe writes the report's totals and the keys that tell where the file
// comes from.
func (o *Output) describe(r *route) error {
	m := o.model
	o.Report.Source, o.Report.Arch = m.Spec.Name, m.Spec.Name
	if r != nil {
		o.Report.Arch = r.to
	}
	for _, s := range o.Plan.Steps {
		o.Report.Steps = append(o.Report.Steps, s.String())
	}
	for _, it := range o.items {
		rows, cols := it.shape()
		size, err := it.info.Type.RowBytes(cols)
		if err != nil {
			return fmt.Errorf("fold: tensor %s: %w", it.info.Name, err)
		}
		o.Report.Bytes += int64(rows) * int64(size)
	}
	level := "mean"
	if o.opts.Gain {
		level = "mean+gain"
	}
	norm := "LayerNorm"
	if r != nil && r.repairs {
		norm = "LayerNorm, run as RMSNorm"
	}
	tags, err := gguf.GetOr(o.Meta, "general.tags", []string(nil))
	if err != nil {
		return fmt.Errorf("fold: %w", err)
	}
	name, err := gguf.GetOr(o.Meta, "general.name", m.Spec.Name)
	if err != nil {
		return fmt.Errorf("fold: %w", err)
	}
	keys := []gguf.KV{
		{Key: "general.finetune", Value: "rms-folded"},
		{Key: "general.tags", Value: append(slices.Clone(tags), "rms-folded")},
		{Key: "general.base_model.count", Value: uint32(1)},
		{Key: "general.base_model.0.name", Value: name},
		{Key: "normswap.version", Value: Version},
		{Key: "normswap.level", Value: level},
		{Key: "normswap.source.norm", Value: norm},
		{Key: "normswap.source.architecture", Value: m.Spec.Name},
		{Key: "normswap.largest_mean", Value: float32(o.Report.LargestMean)},
		{Key: "normswap.requantised", Value: o.Report.Requantised},
	}
	if o.opts.SourceSHA256 != "" {
		keys = append(keys, gguf.KV{Key: "normswap.source.sha256", Value: o.opts.SourceSHA256})
	}
	if v, err := gguf.Get[string](o.Meta, "general.version"); err == nil {
		keys = append(keys, gguf.KV{Key: "general.base_model.0.version", Value: v})
	}
	for _, kv := range keys {
		if err := o.Meta.Set(kv.Key, kv.Value); err != nil {
			return err
		}
	}
	return nil
}

// unfit are the characters that a file name had better not have.
var unfit = regexp.MustCompile(`[^A-Za-z0-9._]+`)

// FileName returns the name of the file by the GGUF convention:
// BaseName-SizeLabel-FineTune-Version-Encoding.gguf.
func (o *Output) FileName() string {
	get := func(key string) string {
		v, err := gguf.GetOr(o.Meta, key, "")
		if err != nil {
			return ""
		}
		return strings.Trim(unfit.ReplaceAllString(v, "-"), "-")
	}
	base := get("general.basename")
	if base == "" {
		base = get("general.name")
	}
	if base == "" {
		base = o.Report.Arch
	}
	version := get("general.version")
	if version == "" {
		version = "1.0"
	}
	parts := []string{base}
	if size := get("general.size_label"); size != "" {
		parts = append(parts, size)
	}
	parts = append(parts, "rms-folded", "v"+strings.TrimPrefix(version, "v"), o.encoding())
	return strings.Join(parts, "-") + ".gguf"
}

// encoding is the type that holds most of the weights.
func (o *Output) encoding() string {
	weights := map[string]int{}
	most := ""
	for _, it := range o.items {
		rows, cols := it.shape()
		t := it.info.Type.String()
		weights[t] += rows * cols
		if most == "" || weights[t] > weights[most] {
			most = t
		}
	}
	return most
}
