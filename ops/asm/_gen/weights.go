package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// panelRows is the number of weight rows of a call, and of activation rows of
// a tile.
const panelRows = 16

// pointer loads a pointer parameter.
func pointer(name string) Mem { return Mem{Base: Load(Param(name), GP64())} }

// integer loads an integer parameter.
func integer(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// weightRows addresses 16 rows of stored weights through six registers.
type weightRows struct {
	base            [4]reg.GPVirtual // rows 0, 4, 8 and 12
	stride, stride3 reg.GPVirtual
}

func loadWeightRows() weightRows {
	var w weightRows
	w.base[0] = integer("w")
	w.stride = integer("stride")
	w.stride3 = GP64()
	LEAQ(Mem{Base: w.stride, Index: w.stride, Scale: 2}, w.stride3)
	for i := 1; i < 4; i++ {
		w.base[i] = GP64()
		LEAQ(Mem{Base: w.base[i-1], Index: w.stride, Scale: 4}, w.base[i])
	}
	return w
}

// at is the address of a byte of row r.
func (w weightRows) at(r, disp int) Mem {
	m := Mem{Base: w.base[r/4], Disp: disp}
	switch r % 4 {
	case 1, 2:
		m.Index, m.Scale = w.stride, uint8(r%4)
	case 3:
		m.Index, m.Scale = w.stride3, 1
	}
	return m
}

func (w weightRows) advance(bytes int) {
	for _, b := range w.base {
		ADDQ(U32(bytes), b)
	}
}

// loop runs body n times, n > 0, counting n down.
func loop(name string, n reg.GPVirtual, body func()) {
	Label(name)
	body()
	DECQ(n)
	JNZ(LabelRef(name))
}

// fetcher returns a function that fetches the parameter step's number of bytes from
// the parameter ahead on, and from there the next time, into the second-level cache.
// A loop that fetches a little each time does not wait for memory, and what it works
// on stays in the first level.
func fetcher() func(label string) {
	ahead, end := pointer("ahead"), GP64()
	MOVQ(ahead.Base, end)
	return func(label string) {
		ADDQ(param("step"), end)
		JMP(LabelRef(label + "fetched"))
		Label(label + "fetch")
		PREFETCHT1(ahead)
		ADDQ(U8(64), ahead.Base)
		Label(label + "fetched")
		CMPQ(ahead.Base, end)
		JB(LabelRef(label + "fetch"))
	}
}

// wordTable returns where in read-only data a table of 32-bit words is.
func wordTable(name string, w ...uint32) Mem {
	m := GLOBL(name, rodata)
	for i, v := range w {
		DATA(4*i, U32(v))
	}
	return m
}

var repeated = map[uint32]Mem{}

// repeat returns a register full of a 32-bit word.
func (t isa) repeat(word uint32) vector {
	m, ok := repeated[word]
	if !ok {
		m = wordTable(fmt.Sprintf("u32_%08x", word), word)
		repeated[word] = m
	}
	v := t.reg()
	VPBROADCASTD(m, v)
	return v
}

// clearing emits an instruction that writes the low part of a vector register and
// so, as all VEX and EVEX encodings do, clears the rest: as it stands,
// avo takes the rest for what it was before and keeps the register alive.
func clearing(i *ir.Instruction, err error) {
	if err != nil {
		panic(err)
	}
	for k, op := range i.Outputs {
		i.Outputs[k] = op.(reg.Vec).AsZ()
	}
	Instruction(i)
}

// load16 returns a YMM register with 16 bytes in its low half.
func load16(m Mem) vector {
	v := YMM()
	clearing(x86.VMOVDQU32(m, v.AsX()))
	return v
}

var tables = map[string]Mem{}

// table returns where in read-only data 32 bytes are that repeat the words.
func table(w ...uint32) Mem {
	name := fmt.Sprintf("words%08x", w)
	m, ok := tables[name]
	if !ok {
		m = GLOBL("words_"+strings.NewReplacer("words[", "", " ", "_", "]", "").Replace(name), rodata)
		for i := range 8 {
			DATA(4*i, U32(w[i%len(w)]))
		}
		tables[name] = m
	}
	return m
}
