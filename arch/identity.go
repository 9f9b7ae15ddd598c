package arch

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/normswap/normswap/gguf"
)

// A NotModelError tells that a file is no language model, and what it is.
type NotModelError struct {
	What string // such as "a LoRA adapter"
	Why  string // what shows it, such as "general.type is adapter"
}

func (e *NotModelError) Error() string {
	return fmt.Sprintf("arch: this file is %s, not a language model (%s)", e.What, e.Why)
}

const (
	keyType    = "general.type"
	keySplitNo = "split.no"
	keyVocab   = "tokenizer.ggml.tokens"
)

// types are the values of general.type that are no model.
var types = map[string]string{
	"adapter":   "a LoRA adapter, which changes another model",
	"imatrix":   "an importance matrix, which guides the quantisation of a model",
	"mmproj":    "a multimodal projector, which feeds images or sound to another model",
	"clip":      "a multimodal projector, which feeds images or sound to another model",
	"projector": "a multimodal projector, which feeds images or sound to another model",
	"vocab":     "a vocabulary",
}

// architectures are values of general.architecture that are no language model.
var architectures = map[string]string{
	"clip":          types["mmproj"],
	"mmproj":        types["mmproj"],
	"imatrix":       types["imatrix"],
	"controlvector": "a control vector, which steers another model",
	"whisper":       "a speech recogniser",
}

// images are the architectures of models that make images or films.
var images = []string{"aura", "cosmos", "flux", "flux2", "hidream", "hyvid", "ltxv", "lumina2", "pig", "qwen_image", "sd1", "sd2", "sd3", "sdxl", "wan", "z_image"}

// foreign are beginnings of tensor names that other formats have.
var foreign = []struct{ prefix, what string }{
	{"model.diffusion_model.", "an image model"},
	{"diffusion_model.", "an image model"},
	{"double_blocks.", "an image model"},
	{"joint_blocks.", "an image model"},
	{"transformer_blocks.", "an image model"},
	{"first_stage_model.", "an image model"},
	{"cond_stage_model.", "an image model"},
	{"v.blk.", types["mmproj"]},
	{"a.blk.", types["mmproj"]},
	{"mm.", types["mmproj"]},
	{"model.layers.", hfNames},
	{"model.embed_tokens.", hfNames},
	{"model.decoder.", hfNames},
	{"transformer.h.", hfNames},
	{"transformer.blocks.", hfNames},
	{"transformer.wte.", hfNames},
	{"transformer.word_embeddings.", hfNames},
	{"gpt_neox.", hfNames},
	{"h.0.", hfNames},
	{"wte.", hfNames},
	{"lm_head.", hfNames},
	{"embed_out.", hfNames},
	{"bert.", hfNames},
	{"encoder.layer.", hfNames},
	{"tok_embeddings.", "a model with the tensor names of its makers, which no GGUF runner reads"},
	{"layers.0.", "a model with the tensor names of its makers, which no GGUF runner reads"},
}

const hfNames = "a model with Hugging Face's tensor names, which no GGUF runner reads; infer convert and llama.cpp's convert_hf_to_gguf.py make a GGUF file of the folder that it came from"

// identify returns a [*NotModelError] if a file is known to be something else
// than a language model.
func identify(f *gguf.File) error {
	get := func(key string) string {
		s, _ := gguf.Get[string](&f.Meta, key)
		return s
	}
	no := func(what, format string, args ...any) error {
		return &NotModelError{what, fmt.Sprintf(format, args...)}
	}
	kind, name := get(keyType), get(KeyArchitecture)
	if what := types[strings.ToLower(kind)]; what != "" {
		return no(what, "%s is %s", keyType, kind)
	}
	if what := architectures[strings.ToLower(name)]; what != "" {
		return no(what, "%s is %s", KeyArchitecture, name)
	}
	for _, image := range images {
		if name == image {
			return no("an image model", "%s is %s", KeyArchitecture, name)
		}
	}
	if no, err := gguf.Get[int](&f.Meta, keySplitNo); err == nil && no > 0 {
		return &NotModelError{fmt.Sprintf("part %d of a model in several files; open the first", no+1), fmt.Sprintf("%s is %d", keySplitNo, no)}
	}
	lora, statistics := 0, 0
	for i := range f.Tensors {
		t := f.Tensors[i].Name
		if strings.HasSuffix(t, ".lora_a") || strings.HasSuffix(t, ".lora_b") {
			lora++
		}
		if strings.HasSuffix(t, ".in_sum2") || strings.HasSuffix(t, ".counts") {
			statistics++
		}
	}
	switch n := len(f.Tensors); {
	case n == 0:
		if _, ok := f.Meta.Lookup(keyVocab); ok {
			return no("a vocabulary", "it has no tensors")
		}
		return no("metadata alone", "it has no tensors")
	case lora == n:
		return no(types["adapter"], "a tensor is %.80q", f.Tensors[0].Name)
	case statistics == n:
		return no(types["imatrix"], "a tensor is %.80q", f.Tensors[0].Name)
	}
	for i := range f.Tensors {
		t := f.Tensors[i].Name
		if t == WeightName(NameEmbed) {
			break // a model with more than that
		}
		for _, other := range foreign {
			if strings.HasPrefix(t, other.prefix) {
				return no(other.what, "a tensor is %.80q", t)
			}
		}
	}
	if name == "" {
		if _, ok := f.Meta.Lookup(KeyArchitecture); !ok && cmp.Or(kind, "model") != "model" {
			return no(fmt.Sprintf("a %.40q", kind), "%s says so", keyType)
		}
	}
	return nil
}
