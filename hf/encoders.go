package hf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
)

var bertTensors = []tensor{
	with("token_embd", "embeddings.word_embeddings"), with("position_embd", "embeddings.position_embeddings"),
	with("token_types", "embeddings.token_type_embeddings"), with("token_embd_norm", "embeddings.LayerNorm"),
	with("blk.%d.attn_q", "encoder.layer.%d.attention.self.query"), with("blk.%d.attn_k", "encoder.layer.%d.attention.self.key"),
	with("blk.%d.attn_v", "encoder.layer.%d.attention.self.value"), with("blk.%d.attn_output", "encoder.layer.%d.attention.output.dense"),
	with("blk.%d.attn_output_norm", "encoder.layer.%d.attention.output.LayerNorm"),
	with("blk.%d.ffn_up", "encoder.layer.%d.intermediate.dense"), with("blk.%d.ffn_down", "encoder.layer.%d.output.dense"),
	with("blk.%d.layer_output_norm", "encoder.layer.%d.output.LayerNorm"),
}

// poolers are tensors beside the hidden vectors.
var poolers = []string{"pooler.dense.weight", "pooler.dense.bias", "cls.predictions", "cls.seq_relationship", "lm_head."}

func encoderKeys(b *builder) {
	b.not("is_decoder", "add_cross_attention")
	if p := b.string("absolute", "position_embedding_type"); p != "absolute" && b.arch == "bert" {
		b.fail("position_embedding_type %.40q is not supported", p)
	}
	b.shapeKeys()
	b.flag("attention.causal", false)
}

// classifies reports whether the class scores sequences.
func (b *builder) classifies() bool { return strings.HasSuffix(b.class, "ForSequenceClassification") }

// labels writes the names of the scores.
func (b *builder) labels() {
	if !b.classifies() {
		return
	}
	names := b.sub("id2label")
	all := make([]string, max(len(names.m), 1))
	for i := range all {
		all[i] = names.string(fmt.Sprintf("LABEL_%d", i), fmt.Sprint(i))
	}
	b.set(b.arch+".classifier.output_labels", all)
	b.u32("pooling_type", 4)
}

// after the padding token RoBERTa's positions begin.
func pastPad(b *builder) int { return b.int(1, "pad_token_id") + 1 }

func bertKeys(b *builder) {
	encoderKeys(b)
	b.layerNorm(1e-12)
	b.activation("gelu", "gelu", "gelu_pytorch_tanh", "relu")
	b.labels()
}

func robertaKeys(b *builder) {
	b.context -= pastPad(b)
	bertKeys(b)
}

func init() {
	roberta := renamed(bertTensors, with("position_embd", "embeddings.position_embeddings", from(pastPad)),
		with("cls", "classifier.dense"), with("cls.output", "classifier.out_proj"))
	families["bert"] = &family{arch: "bert", prefixes: []string{"bert."}, keys: bertKeys, unused: poolers,
		tensors: renamed(bertTensors, with("cls", "pooler.dense", onlyClassifier), with("cls.output", "classifier"))}
	families["roberta"] = &family{arch: "bert", prefixes: []string{"roberta."}, keys: robertaKeys, unused: poolers, tensors: roberta}
	families["xlm-roberta"] = &family{arch: "bert", prefixes: []string{"roberta."}, keys: robertaKeys, unused: poolers, tensors: roberta}
	families["camembert"] = families["roberta"]
	families["distilbert"] = &family{
		arch: "bert", prefixes: []string{"distilbert."}, unused: []string{"vocab_transform", "vocab_layer_norm", "vocab_projector"},
		tensors: []tensor{
			with("token_embd", "embeddings.word_embeddings"), with("position_embd", "embeddings.position_embeddings"), with("token_embd_norm", "embeddings.LayerNorm"),
			with("blk.%d.attn_q", "transformer.layer.%d.attention.q_lin"), with("blk.%d.attn_k", "transformer.layer.%d.attention.k_lin"),
			with("blk.%d.attn_v", "transformer.layer.%d.attention.v_lin"), with("blk.%d.attn_output", "transformer.layer.%d.attention.out_lin"),
			with("blk.%d.attn_output_norm", "transformer.layer.%d.sa_layer_norm"), with("blk.%d.layer_output_norm", "transformer.layer.%d.output_layer_norm"),
			with("blk.%d.ffn_up", "transformer.layer.%d.ffn.lin1"), with("blk.%d.ffn_down", "transformer.layer.%d.ffn.lin2"),
		},
		keys: func(b *builder) {
			if b.classifies() {
				b.fail("the classifier of DistilBERT, with its ReLU, is not supported")
			}
			bertKeys(b)
		},
	}
	families["eurobert"] = &family{arch: "eurobert", prefixes: model, tensors: plain, keys: func(b *builder) {
		encoderKeys(b)
		b.rmsNorm(1e-5)
		b.activation("silu", "silu")
		b.rotaryKeys("full_attention", 10000)
	}}
	families["modernbert"] = &family{
		arch: "modern-bert", prefixes: model, unused: []string{"head.", "decoder."},
		tensors: []tensor{
			with("token_embd", "embeddings.tok_embeddings"), with("token_embd_norm", "embeddings.norm"), with("output_norm", "final_norm"),
			with("blk.%d.attn_norm", "layers.%d.attn_norm"), with("blk.%d.ffn_norm", "layers.%d.mlp_norm"),
			with("blk.%d.attn_qkv", "layers.%d.attn.Wqkv"), with("blk.%d.attn_output", "layers.%d.attn.Wo"),
			with("blk.%d.ffn_up", "layers.%d.mlp.Wi"), with("blk.%d.ffn_down", "layers.%d.mlp.Wo"),
		},
		keys: func(b *builder) {
			if b.classifies() {
				b.fail("the classifier of ModernBERT is not supported")
			}
			b.not("attention_bias", "mlp_bias", "norm_bias")
			encoderKeys(b)
			b.layerNorm(1e-5)
			b.text("hidden_activation", b.string("gelu", "hidden_activation"))
			full, local := b.rope("full_attention", b.float(160000, "global_rope_theta")), b.rope("sliding_attention", b.float(10000, "local_rope_theta"))
			b.f32("rope.freq_base", full.base)
			b.f32("rope.freq_base_swa", local.base)
			b.u32("attention.sliding_window", b.int(128, "local_attention"))
			every := b.int(3, "global_attn_every_n_layers")
			if kinds := b.strings("layer_types"); len(kinds) > 0 {
				for i, kind := range kinds {
					if (kind == "full_attention") != (i%max(every, 1) == 0) {
						b.fail("layer_types[%d] is %.40q, where every %dth layer is global", i, kind, every)
					}
				}
			}
			b.u32("attention.sliding_window_pattern", every)
		},
	}
	families["nomic_bert"] = &family{
		arch: "nomic-bert", unused: poolers,
		tensors: []tensor{
			with("token_embd", "embeddings.word_embeddings"), with("token_types", "embeddings.token_type_embeddings"), with("token_embd_norm", "emb_ln"),
			with("blk.%d.attn_qkv", "encoder.layers.%d.attn.Wqkv"), with("blk.%d.attn_output", "encoder.layers.%d.attn.out_proj"),
			with("blk.%d.ffn_up", "encoder.layers.%d.mlp.fc11"), with("blk.%d.ffn_gate", "encoder.layers.%d.mlp.fc12"), with("blk.%d.ffn_down", "encoder.layers.%d.mlp.fc2"),
			with("blk.%d.attn_output_norm", "encoder.layers.%d.norm1"), with("blk.%d.layer_output_norm", "encoder.layers.%d.norm2"),
		},
		keys: func(b *builder) {
			b.not("prenorm", "rotary_emb_interleaved", "qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias")
			if act := b.string("silu", "activation_function", "hidden_act"); act != "silu" && act != "swiglu" {
				b.fail("the activation %.40q is not supported in this family", act)
			}
			encoderKeys(b)
			b.layerNorm(1e-12)
			b.rotaryKeys("full_attention", b.float(10000, "rotary_emb_base"))
		},
	}
	families["jina_embeddings_v3"] = &family{
		arch: "jina-bert-v3", unused: poolers,
		tensors: []tensor{
			with("token_embd", "embeddings.word_embeddings"), with("token_types", "embeddings.token_type_embeddings"), with("token_embd_norm", "emb_ln"),
			with("blk.%d.attn_qkv", "encoder.layers.%d.mixer.Wqkv"), with("blk.%d.attn_output", "encoder.layers.%d.mixer.out_proj"),
			with("blk.%d.ffn_up", "encoder.layers.%d.mlp.fc1"), with("blk.%d.ffn_down", "encoder.layers.%d.mlp.fc2"),
			with("blk.%d.attn_output_norm", "encoder.layers.%d.norm1"), with("blk.%d.layer_output_norm", "encoder.layers.%d.norm2"),
		},
		keys: func(b *builder) {
			encoderKeys(b)
			b.layerNorm(1e-5)
			b.activation("gelu", "gelu")
			b.rotaryKeys("full_attention", 10000)
		},
	}
	noClassifier := func(b *builder) {
		if b.classifies() {
			b.fail("the classifier of this family is not supported")
		}
	}
	families["electra"] = &family{
		arch: "bert", prefixes: []string{"electra."}, unused: []string{"discriminator_predictions.", "generator_predictions.", "generator_lm_head."},
		tensors: renamed(bertTensors, with("token_embd_project", "embeddings_project")),
		keys:    func(b *builder) { noClassifier(b); bertKeys(b) },
	}
	families["mpnet"] = &family{
		arch: "bert", prefixes: []string{"mpnet."}, unused: poolers,
		tensors: renamed(bertTensors, with("position_embd", "embeddings.position_embeddings", from(pastPad)), with("position_bias", "encoder.relative_attention_bias", byDistance),
			with("blk.%d.attn_q", "encoder.layer.%d.attention.attn.q"), with("blk.%d.attn_k", "encoder.layer.%d.attention.attn.k"),
			with("blk.%d.attn_v", "encoder.layer.%d.attention.attn.v"), with("blk.%d.attn_output", "encoder.layer.%d.attention.attn.o"),
			with("blk.%d.attn_output_norm", "encoder.layer.%d.attention.LayerNorm")),
		keys: func(b *builder) { noClassifier(b); robertaKeys(b) },
	}
	families["gte"] = &family{
		arch: "jina-bert-v3", prefixes: []string{"gte.", "new."}, unused: poolers,
		tensors: []tensor{
			with("token_embd", "embeddings.word_embeddings"), with("token_types", "embeddings.token_type_embeddings"), with("token_embd_norm", "embeddings.LayerNorm"),
			with("blk.%d.attn_qkv", "encoder.layer.%d.attention.qkv_proj"), with("blk.%d.attn_output", "encoder.layer.%d.attention.o_proj"),
			with("blk.%d.ffn_up", "encoder.layer.%d.mlp.up_gate_proj", half(0)), with("blk.%d.ffn_gate", "encoder.layer.%d.mlp.up_gate_proj", half(1)),
			with("blk.%d.ffn_down", "encoder.layer.%d.mlp.down_proj"),
			with("blk.%d.attn_output_norm", "encoder.layer.%d.attn_ln"), with("blk.%d.layer_output_norm", "encoder.layer.%d.mlp_ln"),
		},
		keys: func(b *builder) {
			noClassifier(b)
			encoderKeys(b)
			b.layerNorm(1e-12)
			b.activation("gelu", "gelu")
			b.rotaryKeys("full_attention", 10000)
		},
	}
}

// byDistance makes of MPNet's biases, one for each bucket of distances and head, one
// for each head and distance of a key behind a query. Half of the buckets are for
// keys before the query; of each half the first half are single distances, the others
// grow with the logarithm up to 128 (Raffel et al. 2020, arXiv 1910.10683).
func byDistance(b *builder, v value, _ int, _ bool) (value, error) {
	const far = 128
	x, err := v.floats()
	if err != nil {
		return value{}, err
	}
	if len(v.shape) != 2 || v.shape[1] != b.heads || v.shape[0] < 4 || v.shape[0]%4 != 0 {
		return value{}, fmt.Errorf("has the shape %d, want a multiple of four buckets for %d heads", v.shape, b.heads)
	}
	buckets := v.shape[0] / 2
	exact := buckets / 2
	out := make([]float32, b.heads*(2*far+1))
	for d := -far; d <= far; d++ {
		n := max(d, -d)
		if n >= exact {
			log := float32(math.Log(float64(float32(n) / float32(exact))))
			n = min(exact+int(log/float32(math.Log(far/float64(exact)))*float32(buckets-exact)), buckets-1)
		}
		if d > 0 {
			n += buckets
		}
		for h := range b.heads {
			out[h*(2*far+1)+d+far] = x[n*b.heads+h]
		}
	}
	return float32s(out, b.heads, 2*far+1), nil
}

// onlyClassifier keeps BERT's pooler for classes that score sequences.
func onlyClassifier(b *builder, v value, _ int, _ bool) (value, error) {
	if !b.classifies() {
		return value{}, errUnused
	}
	return v, nil
}

// errUnused tells that a tensor is not needed.
var errUnused = errors.New("is not needed")

// pooling reads how sentence-transformers makes one vector of a text.
func (b *builder) pooling() error {
	raw, err := os.ReadFile(filepath.Join(b.dir, "1_Pooling", "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var how map[string]any
	if err := json.Unmarshal(raw, &how); err != nil {
		return fmt.Errorf("1_Pooling/config.json: %w", err)
	}
	modes := map[string]uint32{"pooling_mode_mean_tokens": 1, "pooling_mode_cls_token": 2, "pooling_mode_lasttoken": 3}
	var found []uint32
	for key, on := range how {
		if strings.HasPrefix(key, "pooling_mode_") && on == true {
			mode, ok := modes[key]
			if !ok {
				return fmt.Errorf("1_Pooling/config.json: %.60s is not supported", key)
			}
			found = append(found, mode)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("1_Pooling/config.json asks for %d poolings, want one", len(found))
	}
	b.set(b.arch+".pooling_type", found[0])
	return nil
}
