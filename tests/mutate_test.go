package tests

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// A mutation changes one thing about a model, as the choices say.
type mutation func(m *mutant, c *choices)

var mutations = []mutation{
	setKey, setKey, setKey, // what decides most
	setOtherKey, changeNumber, changeNumber, changeArray, changeArray, changeString, removeKey, renameKey, repeatKey,
	otherArchitecture, setTemplate,
	removeTensor, renameTensor, repeatTensor, changeShape, changeShape, changeType, changeData, changeData, moveTensor, resizeTensor,
	splitParts, cutFile, changeVersion,
}

func setKey(m *mutant, c *choices) {
	m.set(m.arch+"."+pick(c, suffixes), c.value())
}

func setOtherKey(m *mutant, c *choices) {
	key := pick(c, otherKeys)
	switch key {
	case "tokenizer.ggml.pre":
		m.set(key, pick(c, pretokenizers))
	case "general.alignment":
		m.set(key, uint32(8)<<c.of(12))
	default:
		m.set(key, c.value())
	}
}

func (m *mutant) set(key string, value any) {
	m.pairs = slices.DeleteFunc(m.pairs, func(p gguf.KV) bool { return p.Key == key })
	m.pairs = append(m.pairs, gguf.KV{Key: key, Value: value})
}

// changeNumber replaces a number by another of its kind, or by one nearby.
func changeNumber(m *mutant, c *choices) {
	p := m.pair(c)
	if p == nil {
		return
	}
	switch v := p.Value.(type) {
	case uint32:
		p.Value = pick(c, []uint32{v + 1, v - 1, v * 2, v / 2, v * 3, uint32(pick(c, edges))})
	case int32:
		p.Value = pick(c, []int32{v + 1, v - 1, v * 2, v / 2, v * 3, int32(pick(c, edges))})
	case float32:
		p.Value = pick(c, []float32{-v, v * 2, 1 / v, pick(c, floatEdges)})
	case bool:
		p.Value = !v
	default:
		p.Value = c.value()
	}
}

// pair returns a pair of the metadata.
func (m *mutant) pair(c *choices) *gguf.KV {
	if len(m.pairs) == 0 {
		return nil
	}
	return &m.pairs[c.of(len(m.pairs))]
}

// changeArray changes a list: of tokens, of merges, of a number for each layer.
func changeArray(m *mutant, c *choices) {
	var lists []*gguf.KV
	for i := range m.pairs {
		switch m.pairs[i].Value.(type) {
		case []string, []int32, []uint32, []float32, []bool:
			lists = append(lists, &m.pairs[i])
		}
	}
	if len(lists) == 0 {
		return
	}
	p := pick(c, lists)
	switch v := p.Value.(type) {
	case []string:
		p.Value = changeList(c, v, func(s string) string {
			return pick(c, []string{pick(c, words), s + s, s + pick(c, v), s + " " + pick(c, v), strings.ToUpper(s)})
		})
	case []int32:
		p.Value = changeList(c, v, func(int32) int32 { return int32(pick(c, edges)) })
	case []uint32:
		p.Value = changeList(c, v, func(uint32) uint32 { return uint32(pick(c, edges)) })
	case []float32:
		p.Value = changeList(c, v, func(float32) float32 { return pick(c, floatEdges) })
	case []bool:
		p.Value = changeList(c, v, func(b bool) bool { return !b })
	}
}

func changeList[T any](c *choices, list []T, change func(T) T) []T {
	list = slices.Clone(list)
	if len(list) == 0 {
		return list
	}
	i, j := c.of(len(list)), c.of(len(list))
	switch c.of(6) {
	case 0:
		list[i] = list[j]
	case 1:
		list = list[:i]
	case 2:
		list[i], list[j] = list[j], list[i]
	case 3:
		list = append(list, list[i:min(i+20, len(list))]...)
	default:
		for range 1 + c.of(8) {
			k := c.of(len(list))
			list[k] = change(list[k])
		}
	}
	return list
}

func changeString(m *mutant, c *choices) {
	if p := m.pair(c); p != nil {
		p.Value = pick(c, words)
	}
}

func removeKey(m *mutant, c *choices) {
	if len(m.pairs) > 0 {
		i := c.of(len(m.pairs))
		m.pairs = slices.Delete(m.pairs, i, i+1)
	}
}

func renameKey(m *mutant, c *choices) {
	if p := m.pair(c); p != nil {
		p.Key = pick(c, []string{m.arch + "." + pick(c, suffixes), pick(c, otherKeys), pick(c, words)})
	}
}

func repeatKey(m *mutant, c *choices) {
	if p := m.pair(c); p != nil {
		m.pairs = append(m.pairs, *p)
	}
}

// otherArchitecture calls the model by another architecture's name, with the
// keys of that or without.
func otherArchitecture(m *mutant, c *choices) {
	to := pick(c, append(arch.All(), &arch.Spec{Name: "bert"})).Name
	for i, p := range m.pairs {
		if rest, ok := strings.CutPrefix(p.Key, m.arch+"."); ok && c.of(16) > 0 {
			m.pairs[i].Key = to + "." + rest
		}
	}
	m.set("general.architecture", to)
	m.arch = to
}

func setTemplate(m *mutant, c *choices) { m.set("tokenizer.chat_template", c.template()) }

// tensor returns a tensor, of which at least one must be left.
func (m *mutant) tensor(c *choices) *mutantTensor {
	if len(m.tensors) == 0 {
		return new(mutantTensor)
	}
	return &m.tensors[c.of(len(m.tensors))]
}

func removeTensor(m *mutant, c *choices) {
	if len(m.tensors) > 0 {
		i := c.of(len(m.tensors))
		m.tensors = slices.Delete(m.tensors, i, i+1)
	}
}

func renameTensor(m *mutant, c *choices) {
	t := m.tensor(c)
	t.name = pick(c, []string{m.tensor(c).name, strings.Replace(t.name, "blk.0", "blk.1", 1), strings.Replace(t.name, "weight", "bias", 1),
		"rope_freqs.weight", "rope_factors_long.weight", "output.weight", pick(c, words)})
}

// repeatTensor adds a copy under another name: an optional tensor, perhaps.
func repeatTensor(m *mutant, c *choices) {
	t := *m.tensor(c)
	t.dims = slices.Clone(t.dims)
	m.tensors = append(m.tensors, t)
	last := &m.tensors[len(m.tensors)-1]
	last.name = pick(c, []string{last.name, strings.Replace(last.name, "weight", "bias", 1), strings.Replace(last.name, "blk.0", "blk.1", 1),
		strings.Replace(last.name, "attn_norm", pick(c, []string{"attn_q_norm", "attn_k_norm", "ffn_norm", "post_attention_norm", "attn_norm_2"}), 1),
		"output.weight", "rope_freqs.weight", "position_embd.weight", "token_embd_norm.weight", "token_types.weight"})
}

func changeShape(m *mutant, c *choices) {
	t := m.tensor(c)
	if len(t.dims) == 0 {
		return
	}
	i := c.of(len(t.dims))
	d := t.dims[i]
	switch c.of(8) {
	case 0:
		t.dims[i] = d + 1
	case 1:
		t.dims[i] = d - 1
	case 2:
		t.dims[i] = d / 2
	case 3:
		t.dims[i] = uint64(pick(c, edges))
	case 4:
		t.dims = append(t.dims, 1)
	case 5:
		t.dims = t.dims[:i]
	case 6:
		slices.Reverse(t.dims)
	case 7:
		t.dims = append([]uint64{1}, t.dims...)
	}
}

// resizeTensor makes the data as long as the shape wants them.
func resizeTensor(m *mutant, c *choices) {
	t := m.tensor(c)
	f, ok := quant.Type(t.typ).Format()
	n := uint64(1)
	for _, d := range t.dims {
		if d == 0 || d > 1<<16 {
			return
		}
		n *= d
	}
	if ok && n <= 1<<18 {
		size := int(n) / f.Items * f.Bytes
		t.data = append(slices.Clone(t.data), make([]byte, size)...)[:size]
	}
}

// changeType changes the type of the data, which are longer or shorter then.
func changeType(m *mutant, c *choices) {
	t := m.tensor(c)
	t.typ = pick(c, blockTypes)
	if c.of(4) > 0 {
		f, ok := quant.Type(t.typ).Format()
		n := 1
		for _, d := range t.dims {
			n *= int(min(d, 1<<10))
		}
		if ok && n <= 1<<18 {
			data := make([]byte, n/f.Items*f.Bytes)
			for i := range data {
				data[i] = byte(i * 37 >> 2)
			}
			t.data = data
		}
	}
}

// changeData puts numbers that spread into a tensor.
func changeData(m *mutant, c *choices) {
	t := m.tensor(c)
	if len(t.data) < 4 {
		return
	}
	t.data = slices.Clone(t.data)
	at, v := c.of(len(t.data)/4)*4, math.Float32bits(pick(c, floatEdges))
	switch c.of(4) {
	case 0:
		binary.LittleEndian.PutUint32(t.data[at:], v)
	case 1:
		for i := at; i+4 <= len(t.data); i += 4 {
			binary.LittleEndian.PutUint32(t.data[i:], v)
		}
	case 2:
		b := byte(c.of(256))
		for i := range t.data[at:] {
			t.data[at+i] = b
		}
	case 3:
		t.data = t.data[:at]
	}
}

// moveTensor says that the data are elsewhere.
func moveTensor(m *mutant, c *choices) {
	m.tensor(c).shift += pick(c, []uint64{32, ^uint64(31), 1, 64, 1 << 20, 1 << 40, 1 << 63, ^uint64(0)})
}

func splitParts(m *mutant, c *choices) { m.parts = 2 + c.of(3) }

func cutFile(m *mutant, c *choices) { m.tail = 1 + c.of(1<<14) }

func changeVersion(m *mutant, c *choices) { m.version = uint32(pick(c, edges)) }
