package engine

import (
	"fmt"
	"math"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// altUpLogits returns the logits of a Gemma 3n.
func (e *decoder) altUpLogits(tokens []int32) (all []float64) {
	const streams, width, ownKV, sparse = 4, 256, 20, 10
	layers, n := e.integer("block_count", 0), len(tokens)
	e.d, e.eps = e.integer("embedding_length", 0), e.number("attention.layer_norm_rms_epsilon", 0)
	e.heads, e.kvHeads = e.each("attention.head_count", layers), e.each("attention.head_count_kv", layers)
	e.size = e.integer("attention.key_length", e.d/e.heads[0])
	d, window := e.d, e.integer("attention.sliding_window", 0)
	times := func(c float64, x []float64) []float64 {
		y := make([]float64, len(x))
		for i := range x {
			y[i] = c * x[i]
		}
		return y
	}
	like := func(x, y []float64) []float64 { return times(length(y)/length(x), x) }
	part := func(name string, i int) []float64 { return e.tensor(name + ".weight")[i*d*d:][:d*d] }

	embed, inputEmbed := e.tensor("token_embd.weight"), e.tensor("per_layer_token_embd.weight")
	inputGain, inputModel := e.tensor("per_layer_proj_norm.weight"), e.tensor("per_layer_model_proj.weight")
	x := make([][][]float64, streams) // of each stream, of each token
	var inputs [][]float64
	for _, id := range tokens {
		x0 := times(math.Sqrt(float64(d)), embed[int(id)*d:][:d])
		x[0] = append(x[0], x0)
		for a := 1; a < streams; a++ {
			x[a] = append(x[a], like(product(part("altup_proj", a-1), nil, x0), x0))
		}
		made := e.rmsBy(inputGain, times(1/math.Sqrt(float64(d)), product(inputModel, nil, x0)))
		stored := times(math.Sqrt(width), inputEmbed[int(id)*width*layers:][:width*layers])
		inputs = append(inputs, times(1/math.Sqrt2, plus(made, stored)))
	}
	ones := make([]float64, e.size)
	for i := range ones {
		ones[i] = 1
	}
	ks, vs := make([][][]float64, layers), make([][][]float64, layers)
	for layer := range layers {
		blk := fmt.Sprintf("blk.%d.", layer)
		local := layer%5 < 4
		base, see, from := e.number("rope.freq_base", 10000), 0, layer
		if local {
			base, see = e.number("rope.freq_base_swa", 10000), window
		}
		if layer >= ownKV {
			if from = ownKV - 1; local {
				from = ownKV - 2
			}
		}
		modalities := func(z []float64) []float64 {
			m := e.times(blk+"altup_router", times(1/float64(d), e.rms(blk+"altup_router_norm", z)))
			for i := range m {
				m[i] = math.Tanh(m[i])
			}
			return m
		}
		var ys, q [][]float64
		for t := range n {
			c := e.times(blk+"altup_predict_coef", modalities(x[0][t]))
			p := make([][]float64, streams)
			for i := range p {
				p[i] = x[i][t]
				for j := range streams {
					p[i] = plus(p[i], times(c[i*streams+j], x[j][t]))
				}
			}
			for i := range p {
				x[i][t] = p[i]
			}
			y := e.rms(blk+"attn_norm", p[0])
			ys = append(ys, y)
			rq := e.headRMS(blk+"attn_q_norm", e.times(blk+"attn_q", y))
			e.rotate(rq, t, base)
			q = append(q, rq)
			if from == layer {
				rk := e.headRMS(blk+"attn_k_norm", e.times(blk+"attn_k", y))
				e.rotate(rk, t, base)
				ks[layer], vs[layer] = append(ks[layer], rk), append(vs[layer], e.rmsBy(ones, e.times(blk+"attn_v", y)))
			}
		}
		for t, heard := range e.attend(layer, see, 1, q, ks[from], vs[from]) {
			p0, y := x[0][t], ys[t]
			laurel := plus(y, e.rms(blk+"laurel_post_norm", e.times(blk+"laurel_r", e.times(blk+"laurel_l", y))))
			a := times(1/math.Sqrt2, plus(plus(e.rms(blk+"post_attention_norm", e.times(blk+"attn_output", heard)), p0), laurel))
			read := e.rms(blk+"ffn_norm", a)
			gate := e.times(blk+"ffn_gate", read)
			if layer < sparse {
				mean, deviation := 0.0, 0.0
				for _, v := range gate {
					mean += v / float64(len(gate))
				}
				for _, v := range gate {
					deviation += (v - mean) * (v - mean) / float64(len(gate)-1)
				}
				for i, v := range gate {
					gate[i] = max(0, v-mean-1.6448533535003662*math.Sqrt(deviation))
				}
			}
			z := plus(a, e.rms(blk+"post_ffw_norm", e.times(blk+"ffn_down", hadamard(gelu64(gate), e.times(blk+"ffn_up", read)))))
			c := e.times(blk+"altup_correct_coef", modalities(z))
			innovation := plus(z, times(-1, p0))
			for i := range streams {
				x[i][t] = plus(x[i][t], times(1+c[i], innovation))
			}
			f := gelu64(e.times(blk+"inp_gate", hadamard(x[0][t], e.tensor(blk+"altup_correct_scale.weight"))))
			f = e.rms(blk+"post_norm", e.times(blk+"proj", hadamard(f, inputs[t][layer*width:][:width])))
			for i := 1; i < streams; i++ {
				x[i][t] = plus(x[i][t], f)
			}
		}
	}
	head := e.tensor("output.weight")
	if head == nil {
		head = embed
	}
	for t := range n {
		sum := x[0][t]
		for a := 1; a < streams; a++ {
			sum = plus(sum, like(product(part("altup_unembd_proj", a-1), nil, x[a][t]), x[0][t]))
		}
		for _, v := range product(head, nil, e.rms("output_norm", times(1/float64(streams), sum))) {
			all = append(all, 30*math.Tanh(v/30))
		}
	}
	return all
}

func length(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}

func gelu64(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
	}
	return y
}

// TestAltUpByDefinition holds Gemma 3n against the definition in float64.
func TestAltUpByDefinition(t *testing.T) {
	m := open(t, "archs/gemma3n.gguf", Options{})
	e := &decoder{definition: definition{t: t, f: m.File, arch: "gemma3n"}}
	byDefinition(t, "gemma3n", allLogits(t, m, testdata.Tokens()), e.altUpLogits(testdata.Tokens()), 1e-11)
}
