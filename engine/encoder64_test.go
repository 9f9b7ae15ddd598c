package engine

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
)

// definition is an encoder in float64, by the names of its tensors, as the
// papers and llama.cpp's graphs have it. It knows nothing of package arch.
type definition struct {
	t    testing.TB
	f    *gguf.File
	arch string
	eps  float64
}

func (e *definition) number(key string, otherwise float64) float64 {
	v, err := gguf.GetOr(&e.f.Meta, e.arch+"."+key, otherwise)
	if err != nil {
		n, err := gguf.Get[int](&e.f.Meta, e.arch+"."+key)
		if err != nil {
			e.t.Fatal(err)
		}
		return float64(n)
	}
	return v
}

func (e *definition) integer(key string, otherwise int) int {
	v, err := gguf.GetOr(&e.f.Meta, e.arch+"."+key, otherwise)
	if err != nil {
		e.t.Fatal(err)
	}
	return v
}

// tensor returns the numbers of a tensor; nil if there is none.
func (e *definition) tensor(name string) []float64 {
	t, ok := e.f.Tensor(name)
	if !ok {
		return nil
	}
	v, err := t.Float32s()
	if err != nil {
		e.t.Fatal(err)
	}
	wide := make([]float64, len(v))
	for i := range v {
		wide[i] = float64(v[i])
	}
	return wide
}

// times returns W x + b.
func (e *definition) times(name string, x []float64) []float64 {
	return product(e.tensor(name+".weight"), e.tensor(name+".bias"), x)
}

func product(w, b, x []float64) []float64 {
	y := make([]float64, len(w)/len(x))
	for o := range y {
		for i, v := range x {
			y[o] += w[o*len(x)+i] * v
		}
		if b != nil {
			y[o] += b[o]
		}
	}
	return y
}

// norm returns the norm of x, or x where there is none.
func (e *definition) norm(name string, x []float64) []float64 {
	gain, bias := e.tensor(name+".weight"), e.tensor(name+".bias")
	if gain == nil {
		return x
	}
	y := make([]float64, len(x))
	for at := 0; at < len(x); at += len(gain) {
		var mean, squares float64
		if e.arch != "neo-bert" && e.arch != "eurobert" && e.arch != "gemma-embedding" {
			for i := range gain {
				mean += x[at+i] / float64(len(gain))
			}
		}
		for i := range gain {
			squares += (x[at+i] - mean) * (x[at+i] - mean) / float64(len(gain))
		}
		for i := range gain {
			y[at+i] = (x[at+i] - mean) / math.Sqrt(squares+e.eps) * gain[i]
			if bias != nil {
				y[at+i] += bias[i]
			}
		}
	}
	return y
}

func plus(x, y []float64) []float64 {
	sum := make([]float64, len(x))
	for i := range x {
		sum[i] = x[i] + y[i]
	}
	return sum
}

// attention returns what attention writes for rows that it reads.
func (e *definition) attention(layer int, rows [][]float64) [][]float64 {
	blk := fmt.Sprintf("blk.%d.", layer)
	d := len(rows[0])
	heads := e.integer("attention.head_count", 0)
	kv := e.integer("attention.head_count_kv", heads)
	size := e.integer("attention.key_length", d/heads)
	window, base := e.integer("attention.sliding_window", 0), e.number("rope.freq_base", 10000)
	local := false
	switch e.arch {
	case "modern-bert":
		local = layer%e.integer("attention.sliding_window_pattern", 3) != 0
	case "gemma-embedding":
		p := e.integer("attention.sliding_window_pattern", 6)
		local = layer%p < p-1
	}
	local = local && window > 0
	if local {
		base = e.number("rope.freq_base_swa", 10000)
	}
	var q, k, v [][]float64
	for pos, x := range rows {
		var rq, rk, rv []float64
		if all := e.tensor(blk + "attn_qkv.weight"); all != nil {
			y := e.times(blk+"attn_qkv", x)
			rq, rk, rv = y[:heads*size], y[heads*size:(heads+kv)*size], y[(heads+kv)*size:]
		} else {
			rq, rk, rv = e.times(blk+"attn_q", x), e.times(blk+"attn_k", x), e.times(blk+"attn_v", x)
		}
		rq, rk = e.norm(blk+"attn_q_norm", rq), e.norm(blk+"attn_k_norm", rk)
		if e.arch != "bert" && e.arch != "jina-bert-v2" {
			n := e.integer("rope.dimension_count", size)
			for _, y := range [][]float64{rq, rk} {
				for h := 0; h < len(y); h += size {
					for i := range n / 2 {
						a, b := h+i, h+i+n/2
						if e.arch == "neo-bert" {
							a, b = h+2*i, h+2*i+1
						}
						sin, cos := math.Sincos(float64(pos) * math.Pow(base, -2*float64(i)/float64(n)))
						y[a], y[b] = y[a]*cos-y[b]*sin, y[a]*sin+y[b]*cos
					}
				}
			}
		}
		q, k, v = append(q, rq), append(k, rk), append(v, rv)
	}
	n2 := 1
	for 2*n2 <= heads {
		n2 *= 2
	}
	out := make([][]float64, len(rows))
	for i := range rows {
		heard := make([]float64, heads*size)
		for h := range heads {
			of := h / (heads / kv) * size
			slope := 0.0
			if e.arch == "jina-bert-v2" {
				slope = math.Exp2(-8 * float64(h+1) / float64(n2))
				if h >= n2 {
					slope = math.Exp2(-4 * float64(2*(h-n2)+1) / float64(n2))
				}
			}
			weights, total := make([]float64, len(rows)), 0.0
			for j := range rows {
				distance := math.Abs(float64(i - j))
				if local && distance > float64(window/2) {
					continue
				}
				s := -slope * distance
				for c := range size {
					s += q[i][h*size+c] * k[j][of+c] / math.Sqrt(float64(size))
				}
				weights[j] = math.Exp(s)
				total += weights[j]
			}
			for j := range rows {
				for c := range size {
					heard[h*size+c] += weights[j] / total * v[j][of+c]
				}
			}
		}
		out[i] = e.times(blk+"attn_output", heard)
	}
	return out
}

func (e *definition) act(x float64) float64 {
	switch e.arch {
	case "nomic-bert", "neo-bert", "eurobert":
		return x / (1 + math.Exp(-x))
	case "gemma-embedding":
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}
	return x / 2 * math.Erfc(-x/math.Sqrt2)
}

// ffn returns what the FFN writes for a row that it reads.
func (e *definition) ffn(layer int, x []float64) []float64 {
	blk := fmt.Sprintf("blk.%d.", layer)
	if router := e.tensor(blk + "ffn_gate_inp.weight"); router != nil {
		scores := product(router, nil, x)
		total := 0.0
		for i := range scores {
			scores[i] = math.Exp(scores[i])
			total += scores[i]
		}
		sum := make([]float64, len(x))
		up, down := e.tensor(blk+"ffn_up_exps.weight"), e.tensor(blk+"ffn_down_exps.weight")
		n := len(up) / len(scores)
		for range e.integer("expert_used_count", 0) {
			best := 0
			for i := range scores {
				if scores[i] > scores[best] {
					best = i
				}
			}
			h := product(up[best*n:][:n], nil, x)
			for i := range h {
				h[i] = e.act(h[i])
			}
			for i, v := range product(down[best*n:][:n], nil, h) {
				sum[i] += scores[best] / total * v
			}
			scores[best] = 0
		}
		return sum
	}
	ffn := e.integer("feed_forward_length", 0)
	biases := e.arch != "nomic-bert"
	linear := func(name string, x []float64) []float64 {
		if biases {
			return e.times(blk+name, x)
		}
		return product(e.tensor(blk+name+".weight"), nil, x)
	}
	up := linear("ffn_up", x)
	h := make([]float64, ffn)
	gate := linear("ffn_gate", x)
	for i := range h {
		switch {
		case len(gate) > 0:
			h[i] = e.act(gate[i]) * up[i]
		case len(up) == 2*ffn:
			h[i] = e.act(up[i]) * up[ffn+i]
		default:
			h[i] = e.act(up[i])
		}
	}
	return linear("ffn_down", h)
}

// hidden returns the hidden vectors of a sequence.
func (e *definition) hidden(tokens []int32) (all []float64) {
	d := e.integer("embedding_length", 0)
	var rows [][]float64
	for i, id := range tokens {
		x := e.tensor("token_embd.weight")[int(id)*d:][:d]
		if e.arch == "gemma-embedding" {
			for j := range x {
				x[j] *= math.Sqrt(float64(d))
			}
		}
		if types := e.tensor("token_types.weight"); types != nil {
			x = plus(x, types[:d])
		}
		if positions := e.tensor("position_embd.weight"); positions != nil {
			x = plus(x, positions[i*d:][:d])
		}
		rows = append(rows, e.norm("token_embd_norm", x))
	}
	for layer := range e.integer("block_count", 0) {
		blk := fmt.Sprintf("blk.%d.", layer)
		var read [][]float64
		for _, x := range rows {
			read = append(read, e.norm(blk+"attn_norm", x))
		}
		for i, a := range e.attention(layer, read) {
			x := plus(rows[i], e.norm(blk+"post_attention_norm", a))
			x = e.norm(blk+"attn_output_norm", x)
			if e.tensor(blk+"attn_norm_2.weight") != nil {
				x = e.norm(blk+"attn_norm_2", plus(x, rows[i]))
			}
			x = plus(x, e.norm(blk+"post_ffw_norm", e.ffn(layer, e.norm(blk+"ffn_norm", x))))
			rows[i] = e.norm(blk+"layer_output_norm", x)
		}
	}
	for _, x := range rows {
		x = e.norm("enc.output_norm", e.norm("output_norm", x))
		if dense := e.tensor("dense_2.weight"); dense != nil {
			x = product(e.tensor("dense_3.weight"), nil, product(dense, nil, x))
		}
		all = append(all, x...)
	}
	return all
}

// TestEncodersByDefinition holds an encoder of each architecture, and of each
// form that one has, against the definition in float64.
func TestEncodersByDefinition(t *testing.T) {
	encoderFixtures(t, func(t *testing.T, folder, name string, x *encoderIndex) {
		path := folder + "/" + name + ".gguf"
		m, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		e := &definition{t: t, f: m.File, arch: m.Arch.Spec.Name}
		e.eps = e.number("attention.layer_norm_epsilon", 0) + e.number("attention.layer_norm_rms_epsilon", 0)
		if strings.HasSuffix(name, "-silu") {
			return // only its activation differs, which the references hold
		}
		for _, tokens := range [][]int32{x.IDs, x.Long} {
			want := e.hidden(tokens)
			got := embedAll(t, m, arch.PoolNone, tokens)
			var num, den float64
			for i := range want {
				num += (float64(got[i]) - want[i]) * (float64(got[i]) - want[i])
				den += want[i] * want[i]
			}
			if e := num / den; !(e <= 1e-11) {
				t.Errorf("%d tokens: NMSE %.2g", len(tokens), e)
			} else {
				t.Logf("%d tokens: NMSE %.2g", len(tokens), e)
			}
		}
	})
}
