package tokenizer

import (
	"encoding/binary"
	"fmt"

	"github.com/normswap/normswap/gguf"
)

// A charsMap replaces sequences of characters, as SentencePiece's normalizer
// does before unigram: tokenizer.ggml.precompiled_charsmap. It is a double
// array (Kanda 2018, XOR-compressed: a child stands at its parent's base
// XOR its byte) and, behind it, the replacements, each with a NUL at its end.
type charsMap struct {
	nodes        []uint32
	replacements []byte
}

// A node of the double array: bits 0 to 7 are its label, bit 8 says that a
// sequence ends there, bits 9 to 30 are the base. The value of a sequence is in
// the node at the base of its last.
const (
	charsLabel = 1<<31 | 0xff
	charsEnds  = 1 << 8
	charsValue = 1<<31 - 1
)

func charsBase(node uint32) uint32 { return node >> 10 << (node & (1 << 9) >> 6) }

func loadCharsMap(m *gguf.Meta) (*charsMap, error) {
	v, ok := m.Lookup(keyCharsMap)
	if !ok {
		return &charsMap{}, nil
	}
	var b []byte
	switch v := v.(type) {
	case []uint8:
		b = v
	case []int8:
		b = make([]byte, len(v))
		for i, x := range v {
			b[i] = byte(x)
		}
	default:
		return nil, fmt.Errorf("%s is %T, want bytes", keyCharsMap, v)
	}
	if len(b) < 4 {
		return nil, fmt.Errorf("%s has %d bytes, too few for a map", keyCharsMap, len(b))
	}
	size := uint64(binary.LittleEndian.Uint32(b))
	b = b[4:]
	if size%4 != 0 || size >= uint64(len(b)) || b[len(b)-1] != 0 {
		return nil, fmt.Errorf("%s is no map of characters: a double array of %d bytes and replacements, in %d bytes", keyCharsMap, size, len(b))
	}
	c := &charsMap{nodes: make([]uint32, size/4), replacements: b[size:]}
	for i := range c.nodes {
		c.nodes[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return c, nil
}

// longest is the replacement of the longest sequence that text begins with,
// and how long that is: 0 if there is none.
func (c *charsMap) longest(text string) (to string, n int) {
	if len(c.nodes) == 0 {
		return "", 0
	}
	value := uint32(0)
	at := charsBase(c.nodes[0])
	for i := 0; i < len(text) && text[i] != 0; i++ {
		at ^= uint32(text[i])
		if uint64(at) >= uint64(len(c.nodes)) || c.nodes[at]&charsLabel != uint32(text[i]) {
			break
		}
		node := c.nodes[at]
		at ^= charsBase(node)
		if node&charsEnds == 0 || uint64(at) >= uint64(len(c.nodes)) {
			continue
		}
		if v := c.nodes[at] & charsValue; uint64(v) < uint64(len(c.replacements)) {
			value, n = v, i+1
		}
	}
	if n == 0 {
		return "", 0
	}
	return c.replacement(value), n
}

func (c *charsMap) replacement(at uint32) string {
	end := at
	for c.replacements[end] != 0 { // the last byte is one
		end++
	}
	return string(c.replacements[at:end])
}
