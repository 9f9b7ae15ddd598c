package llamacpp

import (
	"errors"
	"math"
	"slices"
)

// llama.cpp's parameter structs grow from version to version. They are passed
// with room behind them, of which the callee reads and writes only its own part,
// and fields are found by the defaults that stand in them.
const (
	paramWords = 128 // of 32 bits, twice what v0.5.0 has
	batchWords = 7   // of 64 bits: llama_batch
)

type params [paramWords]uint32

var errParams = errors.New("this llama.cpp has parameters that are not known here: fields are not where their defaults were looked for")

const (
	typeF32   = 0 // GGML_TYPE_F32
	typeF16   = 1
	attention = 0 // LLAMA_FLASH_ATTN_TYPE_DISABLED
	automatic = math.MaxUint32
)

// setGPULayers finds n_gpu_layers behind two pointers, of which both are null,
// and before split_mode, which is 1 by default.
func (p *params) setGPULayers(n int) error {
	const layers, splitMode = 4, 5
	if !slices.Equal(p[:layers], []uint32{0, 0, 0, 0}) || p[splitMode] != 1 {
		return errParams
	}
	p[layers] = uint32(int32(n))
	return nil
}

// setContext asks for one batch of n positions in one graph, for what is exact
// (a float32 cache, no flash attention), and for a callback unless it is 0.
func (p *params) setContext(n, threads int, callback, user uintptr) error {
	// n_ctx, n_batch, n_ubatch, n_seq_max
	if !slices.Equal(p[:4], []uint32{512, 2048, 512, 1}) {
		return errParams
	}
	// n_threads, n_threads_batch
	t := p.find(4, 4, 4)
	// rope_scaling_type, pooling_type, attention_type, flash_attn_type
	f := p.find(t, automatic, automatic, automatic, automatic)
	// cb_eval, cb_eval_user_data, type_k, type_v
	c := p.find(f, 0, 0, 0, 0, typeF16, typeF16)
	if t < 0 || f < 0 || c < 0 || c%2 != 0 {
		return errParams
	}
	p[0], p[1], p[2] = uint32(n), uint32(n), uint32(n)
	p[t], p[t+1] = uint32(threads), uint32(threads)
	p[f+3] = attention
	p[c], p[c+1] = uint32(callback), uint32(uint64(callback)>>32)
	p[c+2], p[c+3] = uint32(user), uint32(uint64(user)>>32)
	p[c+4], p[c+5] = typeF32, typeF32
	return nil
}

// find returns where values stand one after the other, from a place on; -1 if
// nowhere.
func (p *params) find(from int, values ...uint32) int {
	for i := max(from, 0); from >= 0 && i+len(values) <= len(p); i++ {
		if slices.Equal(p[i:i+len(values)], values) {
			return i
		}
	}
	return -1
}
