package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// The types with a codebook (quant.Codebook) differ in how the numbers of
// points, the signs and the scales of a block are found: [gridKernel.read].
// What is done with them is the same for all.

// symbol is where a variable of package asm is.
func symbol(name string) Mem { return Mem{Symbol: Symbol{Name: "·" + name}, Base: reg.StaticBase} }

// A gridKernel takes blocks of 256 apart.
type gridKernel struct {
	weightType
	points           reg.GPVirtual // the points, whose quants are bytes
	local            Mem           // for each of gridBlocks, numbers of points of 16 bits, then 32 bytes of signs
	spread, own, one vector        // constants of signs
}

// gridBlocks is how many blocks are read before their points are looked up: what is
// written to memory for it takes long to come back.
const gridBlocks = 4

const localBytes, localSigns = 160, 128

func newGridKernel(w weightType) *gridKernel {
	k := &gridKernel{weightType: w, points: GP64(), local: AllocLocal(gridBlocks * localBytes)}
	LEAQ(symbol(w.grid()).Offset(gridPad), k.points)
	k.spread, k.own, k.one = YMM(), YMM(), YMM()
	VMOVDQU(table(0, 0, 0x01010101, 0x01010101, 0x02020202, 0x02020202, 0x03030303, 0x03030303), k.spread)
	VMOVDQU(table(0x08040201, 0x80402010), k.own)
	VMOVDQU(table(0x01010101), k.one)
	return k
}

// gridPad is how many bytes there are before the points and behind them.
const gridPad = 16

// grid names the variable with the points of a type.
func (w weightType) grid() string {
	if w.Codebook.Shift {
		return "gridIQ1"
	}
	return "grid" + w.Name
}

// numbers returns the numbers of four points, from the given one on. They are
// loaded together: loads are what the kernels wait for.
func (k *gridKernel) numbers(b *book, from int) []reg.Register {
	all := GP64()
	bits := uint64(8)
	if b.wide {
		bits = 16
		MOVQ(b.number(from), all)
	} else {
		MOVL(b.number(from), all.As32())
	}
	var numbers []reg.Register
	for range 3 {
		n := GP64()
		if b.wide {
			MOVWQZX(all.As16(), n)
		} else {
			MOVBQZX(all.As8(), n)
		}
		SHRQ(U8(bits), all)
		numbers = append(numbers, n)
	}
	return append(numbers, all)
}

// quants returns the quants of group g of 32: magnitudes, or with a shift, 16 more
// than the quants would be that are one more.
func (k *gridKernel) quants(b *book, g int) vector {
	words := k.Codebook.Width / 4
	var numbers []reg.Register
	var halves [2]vector
	for h := range halves {
		if len(numbers) == 0 {
			numbers = k.numbers(b, (8*g+4*h)/words)
		}
		c := YMM()
		x := c.AsX()
		for i, n := range numbers[:4/words] {
			// Each is in its words of a load that begins so much before it.
			point := Mem{Base: k.points, Index: n, Scale: uint8(k.Codebook.Width), Disp: -4 * words * i}
			switch {
			case i > 0:
				clearing(x86.VPBLENDD(U8((1<<words-1)<<(i*words)), point, x, x))
			case words == 1:
				clearing(x86.VMOVD(point, x))
			default:
				clearing(x86.VMOVQ(point, x))
			}
		}
		numbers = numbers[4/words:]
		halves[h] = c
	}
	VINSERTI128(U8(1), halves[1].AsX(), halves[0], halves[0])
	return halves[0]
}

// negative returns bytes of -1 for the signs of group g that are set, else 0.
func (k *gridKernel) negative(b *book, g int) vector {
	m := ymm(VPBROADCASTD, b.signs(g))
	VPSHUFB(k.spread, m, m)
	if !k.Codebook.Shift { // else a byte is 0 or -1
		VPAND(k.own, m, m)
		VPCMPEQB(k.own, m, m)
	}
	return m
}

// grids multiplies magnitudes with activations that have the signs, and shifted
// quants as they are. It returns the step for some blocks, one behind the other.
func (k *gemvKernel) grids() gemv512Step {
	grid := newGridKernel(k.weightType)
	k.above = 0
	if k.Codebook.Shift {
		k.above = 16
	}
	product := k.products()
	return func(k *gemvKernel, blocks []weights, acc vector) {
		release()
		var books []*book
		for i, block := range blocks {
			books = append(books, grid.read(i, block))
		}
		for i, b := range books {
			leaf := func(g int) vector {
				c := grid.quants(b, g)
				var a Op = k.q8x8(i, q8x8Q+32*g)
				switch {
				case b.signs == nil:
				case k.Codebook.Shift:
					m := grid.negative(b, g)
					VPADDB(m, c, c)
					VPADDB(m, c, c)
				default:
					m, s := grid.negative(b, g), ymm(VMOVDQU, a)
					VPOR(grid.one, m, m)
					VPSIGNB(m, s, s)
					a = s
				}
				return product([]vector{c}, []Op{a})
			}
			// The sums wait where the numbers of points were.
			if k.Group == 32 {
				VMOVDQU(k.sum8(leaf), b.local)
				continue
			}
			for h := range 2 {
				VMOVDQU(k.sum4(func(i int) vector { return leaf(4*h + i) }), b.local.Offset(32*h))
			}
		}
		release()
		for i, b := range books {
			of := *k
			of.at = k.q8x8(i, 0)
			of.load()
			for h, scale := range b.scales() {
				if scale == nil {
					break
				}
				dots := ymm(VMOVDQU, b.local.Offset(32*h))
				if b.down != nil {
					down := b.down()
					VPAND(of.at.Offset(q8x8Sum), down, down)
					VPADDD(down, down, down)
					VPSUBD(down, dots, dots)
				}
				of.add(h, dots, scale, acc)
			}
		}
	}
}

// unpackGrid emits what unpacks a row of a panel.
func unpackGrid(f weightType) {
	name := "unpackRow" + f.Name + "AVX2"
	TEXT(name, NOSPLIT, "func(q *int8, scale *float32, w *byte, blocks int, zero *uint32)")
	Doc(name+" unpacks that many blocks, at least one, to a row of a panel. Zero is 32 bytes that are added",
		"to the quants.")
	Pragma("noescape")
	q, scale, w, blocks, zero := pointer("q"), pointer("scale"), pointer("w"), integer("blocks"), pointer("zero")
	k := newGridKernel(f)
	loop("block", blocks, func() {
		release()
		b := k.read(0, func(disp int) Mem { return w.Offset(disp) })
		if b.signs == nil {
			b.storeSigns(b.down())
		}
		for g := range 8 {
			c := k.quants(b, g)
			m := k.negative(b, g)
			if f.Codebook.Shift {
				VPADDB(m, c, c)
				VPADDB(m, c, c)
				VPSUBB(table(0x10101010), c, c)
			} else {
				VPXOR(m, c, c)
				VPSUBB(m, c, c)
			}
			VPADDB(zero, c, c)
			to := q.Offset(32 * g * panelRows)
			if f.Group == 32 {
				VMOVDQU(c, to)
				continue
			}
			VMOVDQU(c.AsX(), to)
			VEXTRACTI128(U8(1), c, to.Offset(16*panelRows))
		}
		scales := b.scales()
		for h := range 32 / f.Group {
			if f.Group == 32 {
				scatter(scales[h], scale, 64, 256)
			} else {
				scatter(scales[h], scale.Offset(512*h), 128, 64)
			}
		}
		ADDQ(U32(f.Bytes), w.Base)
		ADDQ(U32(f.Items*panelRows), q.Base)
		ADDQ(U32(f.Items/f.Group*64), scale.Base)
	})
	VZEROUPPER()
	RET()
}
