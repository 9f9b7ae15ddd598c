package engine

import (
	"fmt"
	"math"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
)

// decoder is a definition of decoders in float64, of those that are more than attention
// and an FFN.
type decoder struct {
	definition
	heads, kvHeads []int // of each layer
	d, size        int
}

// rms returns the RMS norm of each stretch of x that is as long as the gain.
func (e *decoder) rms(name string, x []float64) []float64 {
	gain := e.tensor(name + ".weight")
	if gain == nil {
		gain = e.tensor(name)
	}
	return e.rmsBy(gain, x)
}

func (e *decoder) rmsBy(gain, x []float64) []float64 {
	var y []float64
	for at := 0; at < len(x); at += len(gain) {
		squares := 0.0
		for _, v := range x[at : at+len(gain)] {
			squares += v * v / float64(len(gain))
		}
		for i, g := range gain {
			y = append(y, x[at+i]/math.Sqrt(squares+e.eps)*g)
		}
	}
	return y
}

// each returns an integer of each layer.
func (e *decoder) each(key string, layers int) (all []int) {
	if list, err := gguf.Get[[]int](&e.f.Meta, e.arch+"."+key); err == nil {
		return list
	}
	for range layers {
		all = append(all, e.integer(key, 0))
	}
	return all
}

// headRMS norms each head of x, whose heads may have gains of their own.
func (e *decoder) headRMS(name string, x []float64) []float64 {
	gain := e.tensor(name + ".weight")
	var y []float64
	for at := 0; at < len(x); at += e.size {
		g := gain
		if len(gain) > e.size {
			g = gain[at:][:e.size]
		}
		y = append(y, e.rmsBy(g, x[at:at+e.size])...)
	}
	return y
}

func (e *decoder) rotate(x []float64, pos int, base float64) {
	for h := 0; h < len(x); h += e.size {
		for i := range e.size / 2 {
			a, b := h+i, h+i+e.size/2
			sin, cos := math.Sincos(float64(pos) * math.Pow(base, -2*float64(i)/float64(e.size)))
			x[a], x[b] = x[a]*cos-x[b]*sin, x[a]*sin+x[b]*cos
		}
	}
}

// attend returns what the heads of a layer read for queries.
func (e *decoder) attend(layer, window int, scale float64, q, k, v [][]float64) (all [][]float64) {
	heads, kv := e.heads[layer], e.kvHeads[layer]
	for i := range q {
		heard := make([]float64, heads*e.size)
		for h := range heads {
			of := h / (heads / kv) * e.size
			weights, total := make([]float64, i+1), 0.0
			for j := range i + 1 {
				if window > 0 && i-j >= window {
					continue
				}
				s := 0.0
				for c := range e.size {
					s += q[i][h*e.size+c] * k[j][of+c] * scale
				}
				weights[j] = math.Exp(s)
				total += weights[j]
			}
			for j, w := range weights {
				for c := range e.size {
					heard[h*e.size+c] += w / total * v[j][of+c]
				}
			}
		}
		all = append(all, heard)
	}
	return all
}

// attention returns what attention writes for rows that it reads.
func (e *decoder) attention(layer int, rows [][]float64) [][]float64 {
	blk := fmt.Sprintf("blk.%d.", layer)
	base := e.number("rope.freq_base", 10000)
	var q, k, v [][]float64
	for pos, x := range rows {
		var y []float64
		if e.tensor(blk+"attn_qkv.weight") != nil {
			y = e.times(blk+"attn_qkv", x)
		} else {
			y = append(append(e.times(blk+"attn_q", x), e.times(blk+"attn_k", x)...), e.times(blk+"attn_v", x)...)
		}
		n, m := e.heads[layer]*e.size, e.kvHeads[layer]*e.size
		rq, rk := e.headRMS(blk+"attn_q_norm", y[:n]), e.headRMS(blk+"attn_k_norm", y[n:n+m])
		e.rotate(rq, pos, base)
		e.rotate(rk, pos, base)
		q, k, v = append(q, rq), append(k, rk), append(v, y[n+m:])
	}
	all := e.attend(layer, e.integer("attention.sliding_window", 0), 1/math.Sqrt(float64(e.size)), q, k, v)
	for i, heard := range all {
		all[i] = e.times(blk+"attn_output", heard)
	}
	return all
}

// convolve returns the causal convolution of each channel.
func (e *decoder) convolve(name string, rows [][]float64) (all [][]float64) {
	w, width := e.tensor(name+".weight"), len(rows[0])
	taps := len(w) / width
	for i := range rows {
		y := make([]float64, width)
		for c := range y {
			for j := range taps {
				if at := i + 1 - taps + j; at >= 0 {
					y[c] += w[c*taps+j] * rows[at][c]
				}
			}
		}
		all = append(all, y)
	}
	return all
}

// shortConv returns what the short convolution writes for rows that it reads.
func (e *decoder) shortConv(blk string, rows [][]float64) (all [][]float64) {
	var bx, cs [][]float64
	for _, x := range rows {
		y, d := e.times(blk+"shortconv.in_proj", x), e.d
		bx, cs = append(bx, hadamard(y[:d], y[2*d:])), append(cs, y[d:2*d])
	}
	for i, y := range e.convolve(blk+"shortconv.conv", bx) {
		all = append(all, e.times(blk+"shortconv.out_proj", hadamard(cs[i], y)))
	}
	return all
}

// mamba returns what Mamba writes for rows that it reads.
func (e *decoder) mamba(blk string, rows [][]float64) (all [][]float64) {
	a, skip := e.tensor(blk+"ssm_a"), e.tensor(blk+"ssm_d")
	inner, n := e.integer("ssm.inner_size", 0), e.integer("ssm.state_size", 0)
	size := inner / len(a)
	var zs, xs [][]float64
	for _, x := range rows {
		y := e.times(blk+"ssm_in", x)
		var z, x []float64
		for at := 0; at < len(y); at += 2 * size {
			z, x = append(z, y[at:at+size]...), append(x, y[at+size:at+2*size]...)
		}
		zs, xs = append(zs, z), append(xs, x)
	}
	state := make([][]float64, inner)
	for i := range state {
		state[i] = make([]float64, n)
	}
	for i, u := range e.convolve(blk+"ssm_conv1d", xs) {
		for j := range u {
			u[j] = silu64(u[j])
		}
		parts := e.times(blk+"ssm_x", u)
		b, c := e.rms(blk+"ssm_b_norm", parts[:n]), e.rms(blk+"ssm_c_norm", parts[n:2*n])
		steps := e.times(blk+"ssm_dt", e.rms(blk+"ssm_dt_norm", parts[2*n:]))
		y := make([]float64, inner)
		for j := range y {
			h := j / size
			step := math.Log1p(math.Exp(steps[h]))
			for s := range n {
				state[j][s] = state[j][s]*math.Exp(step*a[h]) + step*b[s]*u[j]
				y[j] += state[j][s] * c[s]
			}
			y[j] = (y[j] + skip[h]*u[j]) * silu64(zs[i][j])
		}
		all = append(all, e.times(blk+"ssm_out", y))
	}
	return all
}

func silu64(x float64) float64 { return x / (1 + math.Exp(-x)) }

func hadamard(x, y []float64) []float64 {
	z := make([]float64, len(x))
	for i := range z {
		z[i] = x[i] * y[i]
	}
	return z
}

// swiglu returns what the FFN writes for a row, whose gates may be in one matrix with
// what they multiply.
func (e *decoder) swiglu(blk string, x []float64) []float64 {
	up := e.times(blk+"ffn_up", x)
	gate := e.times(blk+"ffn_gate", x)
	if len(gate) == 0 {
		gate, up = up[:len(up)/2], up[len(up)/2:]
	}
	for i := range gate {
		gate[i] = silu64(gate[i])
	}
	return e.times(blk+"ffn_down", hadamard(gate, up))
}

// logits returns those of a sequence.
func (e *decoder) logits(tokens []int32) (all []float64) {
	layers := e.integer("block_count", 0)
	e.d, e.eps = e.integer("embedding_length", 0), e.number("attention.layer_norm_rms_epsilon", 0)
	e.heads, e.kvHeads = e.each("attention.head_count", layers), e.each("attention.head_count_kv", layers)
	e.size = e.integer("attention.key_length", e.d/max(e.heads[0], 1))
	var rows [][]float64
	for _, id := range tokens {
		rows = append(rows, e.tensor("token_embd.weight")[int(id)*e.d:][:e.d])
	}
	for layer := range layers {
		blk := fmt.Sprintf("blk.%d.", layer)
		post := func(name string, x []float64) []float64 {
			if e.tensor(blk+name) == nil {
				return x
			}
			return e.rms(blk+name, x)
		}
		var read, wrote [][]float64
		for _, x := range rows {
			read = append(read, e.rms(blk+"attn_norm", x))
		}
		switch {
		case e.kvHeads[layer] > 0:
			wrote = e.attention(layer, read)
		case e.arch == "lfm2":
			wrote = e.shortConv(blk, read)
		default:
			wrote = e.mamba(blk, read)
		}
		for i, y := range wrote {
			x := plus(rows[i], post("post_attention_norm", y))
			rows[i] = plus(x, post("post_ffw_norm", e.swiglu(blk, e.rms(blk+"ffn_norm", x))))
		}
	}
	final, head := "output_norm", e.tensor("output.weight")
	if e.arch == "lfm2" {
		final = "token_embd_norm"
	}
	if head == nil {
		head = e.tensor("token_embd.weight")
	}
	for _, x := range rows {
		all = append(all, product(head, nil, e.rms(final, x))...)
	}
	return all
}

// TestRecurrenceByDefinition holds models with layers in place of attention against the
// definition in float64.
func TestRecurrenceByDefinition(t *testing.T) {
	for _, name := range []string{"lfm2", "lfm2-swa", "plamo2"} {
		m := open(t, "archs/"+name+".gguf", Options{})
		e := &decoder{definition: definition{t: t, f: m.File, arch: m.Arch.Spec.Name}}
		byDefinition(t, name, allLogits(t, m, testdata.Tokens()), e.logits(testdata.Tokens()), 1e-11)
	}
	// The makers' files begin with Mamba.
	shape := toy.Tiny("plamo2", nil)
	shape.Keys = []gguf.KV{{Key: "plamo2.attention.head_count", Value: []uint32{0, 4}}, {Key: "plamo2.attention.head_count_kv", Value: []uint32{0, 2}},
		{Key: "plamo2.attention.key_length", Value: uint32(8)}}
	m, err := Load(t.Context(), toytest.Parse(t, toytest.Bytes(t, shape, "F32", 1)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	e := &decoder{definition: definition{t: t, f: m.File, arch: "plamo2"}}
	byDefinition(t, "Mamba first", allLogits(t, m, testdata.Tokens()), e.logits(testdata.Tokens()), 1e-11)
}

func byDefinition(t *testing.T, name string, got []float32, want []float64, bound float64) {
	t.Helper()
	var num, den float64
	for i := range want {
		num += (float64(got[i]) - want[i]) * (float64(got[i]) - want[i])
		den += want[i] * want[i]
	}
	if e := num / den; !(e <= bound) {
		t.Errorf("%s: NMSE %.2g from the definition, want <= %.0g", name, e, bound)
	} else {
		t.Logf("%s: NMSE %.2g from the definition", name, e)
	}
}
