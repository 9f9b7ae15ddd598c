package toy

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/x448/float16"

	"github.com/normswap/normswap/quant"
)

// A mixture is what a quantiser makes of a model: the first rule that a matrix
// meets says its type.
type mixture []rule

// A rule is for the matrices whose names begin with one of the parts, behind the
// number of the layer.
type rule struct {
	typ   quant.Type
	parts string                       // separated by spaces; empty: all
	in    func(layer, layers int) bool // the layers it is for; nil: all
}

// more are the layers that llama.cpp's quantiser gives more bits (use_more_bits).
func more(layer, layers int) bool {
	return layer < layers/8 || layer >= 7*layers/8 || (layer-layers/8)%3 == 2
}

// first returns a rule for the first of n parts of the layers.
func first(n int) func(layer, layers int) bool {
	return func(layer, layers int) bool { return layer < layers/n }
}

const (
	ends = "token_embd output"
	qkv  = "attn_qkv"
	v    = "attn_v"
	down = "ffn_down"
	o    = "attn_output"
)

// mixtures are those of llama.cpp without an importance matrix, and one like the
// dynamic ones of Unsloth. The names of those that llama.cpp names as a type have
// a suffix.
var mixtures = map[string]mixture{
	"Q2_K-mix":   {{quant.Q6_K, ends, nil}, {quant.Q3_K, v + " " + down + " " + o, nil}, {quant.Q2_K, "", nil}},
	"Q3_K_M":     {{quant.Q6_K, ends, nil}, {quant.Q5_K, v, first(8)}, {quant.Q5_K, down, first(16)}, {quant.Q4_K, qkv + " " + v + " " + down + " " + o, nil}, {quant.Q3_K, "", nil}},
	"Q4_K_M":     {{quant.Q6_K, ends, nil}, {quant.Q5_K, qkv, nil}, {quant.Q6_K, v + " " + down, more}, {quant.Q4_K, "", nil}},
	"IQ3_M":      {{quant.Q6_K, ends, nil}, {quant.Q4_K, down, first(8)}, {quant.Q4_K, qkv + " " + v + " " + o, nil}, {quant.IQ3_S, "", nil}},
	"IQ4_XS-mix": {{quant.Q6_K, ends, nil}, {quant.Q5_K, v, nil}, {quant.Q5_K, down, first(8)}, {quant.IQ4_XS, "", nil}},
	"UD-Q2_K_XL": {{quant.Q4_K, "token_embd", nil}, {quant.Q6_K, "output", nil}, {quant.Q4_K, "attn", nil}, {quant.Q5_K, down, first(8)}, {quant.Q3_K, down, nil}, {quant.IQ3_XXS, "ffn", more}, {quant.Q2_K, "", nil}},
	"UD-IQ2_XXS": {{quant.Q4_K, "token_embd", nil}, {quant.Q5_K, "output", nil}, {quant.Q5_K, v, nil}, {quant.IQ3_XXS, "attn", nil}, {quant.IQ3_S, down, more}, {quant.IQ2_XS, down, nil}, {quant.IQ2_XXS, "", nil}},
}

// fallback is what llama.cpp's quantiser takes for rows that are not whole blocks.
var fallback = map[quant.Type]quant.Type{
	quant.TQ1_0: quant.Q4_0, quant.TQ2_0: quant.Q4_0, quant.Q2_K: quant.Q4_0, quant.Q3_K: quant.IQ4_NL,
	quant.Q4_K: quant.Q5_0, quant.Q5_K: quant.Q5_1, quant.Q6_K: quant.Q8_0,
	quant.IQ1_S: quant.IQ4_NL, quant.IQ1_M: quant.IQ4_NL, quant.IQ2_XXS: quant.IQ4_NL, quant.IQ2_XS: quant.IQ4_NL, quant.IQ2_S: quant.IQ4_NL,
	quant.IQ3_XXS: quant.IQ4_NL, quant.IQ3_S: quant.IQ4_NL, quant.IQ4_XS: quant.IQ4_NL,
}

// Types lists the names that Write takes: all types that weights have, and the
// mixtures.
func Types() []string {
	names := slices.Sorted(maps.Keys(mixtures))
	for _, t := range quant.Types() {
		if _, ok := t.Layout(); ok || t.CanEncode() {
			names = append(names, t.String())
		}
	}
	return names
}

// typeOf returns the type of a matrix with rows of that many columns in a file of
// the given type.
func typeOf(typ, name string, cols, layers int) (quant.Type, error) {
	if strings.Contains(name, "position_embd") || strings.Contains(name, "ffn_gate_inp") {
		return quant.F32, nil
	}
	var q quant.Type
	m, ok := mixtures[mixtureName(typ)]
	if ok {
		q = m.typeOf(name, layers)
	} else {
		var err error
		if q, err = quant.ParseType(typ); err != nil {
			return 0, err
		}
	}
	for {
		if f, _ := q.Format(); cols%f.Items == 0 {
			return q, nil
		}
		if q, ok = fallback[q]; !ok {
			return quant.F16, nil
		}
	}
}

// mixtureName returns the name of a mixture as it is written here.
func mixtureName(typ string) string {
	for name := range mixtures {
		if strings.EqualFold(name, typ) {
			return name
		}
	}
	return ""
}

func (m mixture) typeOf(name string, layers int) quant.Type {
	layer, part := 0, name
	if rest, ok := strings.CutPrefix(name, "blk."); ok {
		fmt.Sscanf(rest, "%d.", &layer)
		_, part, _ = strings.Cut(rest, ".")
	}
	for _, r := range m {
		if r.in != nil && !r.in(layer, layers) {
			continue
		}
		if r.parts == "" || slices.ContainsFunc(strings.Fields(r.parts), func(p string) bool { return strings.HasPrefix(part, p) }) {
			return r.typ
		}
	}
	panic("toy: a mixture without a last rule")
}

// Weights returns random blocks: normally distributed numbers of which the encoder
// makes blocks, or, if there is none, random bits under scales that give the
// weights the same variance.
func Weights(t quant.Type, items int, rng *rand.Rand) ([]byte, error) {
	f, ok := t.Format()
	if !ok {
		return nil, fmt.Errorf("toy: unknown type %s", t)
	}
	b := make([]byte, items/f.Items*f.Bytes)
	if t.CanEncode() {
		v := make([]float32, items)
		for i := range v {
			v[i] = float32(rng.NormFloat64()*spread + spread/10)
		}
		return b, quant.Encode(b, t, v)
	}
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	some := b[:min(len(b), 64*f.Bytes)]
	v := make([]float32, len(some)/f.Bytes*f.Items)
	scale := func(d float32) error {
		for at := 0; at < len(b); at += f.Bytes {
			setScale(b[at:][:f.Bytes], t, d)
		}
		return quant.Decode(v, t, some)
	}
	const unit = 1.0 / 64
	if err := scale(unit); err != nil {
		return nil, err
	}
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	return b, scale(float32(unit * spread / math.Sqrt(squares/float64(len(v)))))
}

// spread is the standard deviation of weights.
const spread = 0.02

// setScale sets the scales of a block so that its weights are proportional to d, or
// as nearly as a scale can be.
func setScale(block []byte, t quant.Type, d float32) {
	l, _ := t.Layout()
	h := float16.Fromfloat32(d).Bits()
	switch {
	case t == quant.IQ1_M: // four bits each at the ends of the four last words
		for i := range 4 {
			at := &block[len(block)-8+2*i+1]
			*at = *at&15 | byte(h>>(4*i))<<4
		}
	case l.D.Bits == 16:
		binary.LittleEndian.PutUint16(block[l.D.At:], h)
	case l.D.Bits == 8: // E8M0
		block[l.D.At] = byte(127 + math.Round(math.Log2(float64(d))))
	default: // UE4M3: the nearest multiple of 2^-9, which are all numbers below 2^-5
		for g := range len(block) / 9 {
			block[l.Scales.Low.At+g] = byte(min(max(math.Round(float64(d)*0x1p9), 1), 31))
		}
	}
	if l.HasMin() { // half of the largest weights
		binary.LittleEndian.PutUint16(block[l.M.At:], float16.Fromfloat32(1.5*d).Bits())
	}
}
