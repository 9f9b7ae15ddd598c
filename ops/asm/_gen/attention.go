package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func attention() {
	for _, t := range []isa{avx2, avx512} {
		t.mulPanels(32)
		t.mulPanels(16)
		t.bias()
		t.exp2Sums()
		t.softcap()
		t.scaleAdd()
		t.rotateHalves()
		t.rotatePairs()
	}
	spread16()
	scatter16()
}

const (
	panelLanes = 16
	tileRows   = 6
)

// tilePanels is how many panels a tile of that many rows has: what the
// registers hold.
func (t isa) tilePanels(rows int) int {
	if t == avx512 {
		return 4
	}
	return map[int]int{1: 4, 2: 2}[rows] + map[bool]int{true: 1}[rows > 2]
}

func (t isa) mulPanels(bits int) {
	element := map[int]string{16: "uint16", 32: "float32"}[bits]
	name := fmt.Sprintf("mulPanels%d%s", bits, t.name)
	TEXT(name, NOSPLIT, "func(c, a []float32, b []"+element+", rows, k, panels, ldc, lda, stride int)")
	Doc(name+" sets c[r*ldc+16*p+l] to the sum over i < k of a[r*lda+i]*b[p*stride+16*i+l],",
		"for r < rows <= 6, p < panels, l < 16.")
	Pragma("noescape")
	rows := Load(Param("rows"), GP64())
	for r := 1; r < tileRows; r++ {
		CMPQ(rows, U8(r))
		JE(LabelRef(fmt.Sprintf("rows%d", r)))
	}
	for r := tileRows; r >= 1; r-- {
		Label(fmt.Sprintf("rows%d", r))
		t.panelRows(r, bits)
	}
}

// panelRows emits the product for a number of rows, and returns.
func (t isa) panelRows(rows, bits int) {
	c, a, b := Load(Param("c").Base(), GP64()), Load(Param("a").Base(), GP64()), Load(Param("b").Base(), GP64())
	panels, lda, stride := Load(Param("panels"), GP64()), Load(Param("lda"), GP64()), Load(Param("stride"), GP64())
	SHLQ(U8(2), lda)
	SHLQ(U8(map[int]int{16: 1, 32: 2}[bits]), stride)
	step := func(width int) {
		t.tile(rows, width, bits, c, a, b, lda, stride)
		ADDQ(U32(width*4*panelLanes), c)
		for range width {
			ADDQ(stride, b)
		}
		SUBQ(U8(width), panels)
	}
	label := fmt.Sprintf("rows%d", rows)
	for width := t.tilePanels(rows); width > 0; width /= 2 {
		label := fmt.Sprintf("%sby%d", label, width)
		CMPQ(panels, U8(width))
		JL(LabelRef(label + "end"))
		Label(label)
		step(width)
		CMPQ(panels, U8(width))
		JGE(LabelRef(label))
		Label(label + "end")
	}
	VZEROUPPER()
	RET()
}

// tile emits the product of rows of a with a few panels.
func (t isa) tile(rows, panels, bits int, c, a, b, lda, stride reg.Register) {
	parts := panelLanes / t.lanes
	acc := t.regs(rows * panels * parts)
	zero(acc...)
	pa, pb, k := copyOf(a), copyOf(b), Load(Param("k"), GP64())
	pa3, stride3 := GP64(), GP64()
	if rows > 3 {
		LEAQ(Mem{Base: a, Index: lda, Scale: 2}, pa3)
		ADDQ(lda, pa3)
	}
	if panels > 3 {
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	}
	label := fmt.Sprintf("tile%dx%d", rows, panels)
	CMPQ(k, U8(0))
	JE(LabelRef(label + "end"))
	Label(label)
	w := t.regs(panels * parts)
	for p := range panels {
		for h := range parts {
			m := Mem{Base: pb, Disp: h * t.lanes * bits / 8}
			switch p {
			case 1, 2:
				m.Index, m.Scale = stride, uint8(p)
			case 3:
				m.Index, m.Scale = stride3, 1
			}
			if bits == 16 {
				VCVTPH2PS(m, w[p*parts+h])
			} else {
				VMOVUPS(m, w[p*parts+h])
			}
		}
	}
	for r := range rows {
		m := Mem{Base: pa}
		if r >= 3 {
			m.Base = pa3
		}
		if r%3 > 0 {
			m.Index, m.Scale = lda, uint8(r%3)
		}
		v := t.reg()
		VBROADCASTSS(m, v)
		for i := range w {
			VFMADD231PS(w[i], v, acc[r*len(w)+i])
		}
	}
	ADDQ(U8(4), pa)
	if rows > 3 {
		ADDQ(U8(4), pa3)
	}
	ADDQ(U8(panelLanes*bits/8), pb)
	DECQ(k)
	JNZ(LabelRef(label))
	Label(label + "end")
	ldc := Load(Param("ldc"), GP64())
	SHLQ(U8(2), ldc)
	pc := copyOf(c)
	for r := range rows {
		for i := range panels * parts {
			VMOVUPS(acc[r*panels*parts+i], Mem{Base: pc, Disp: i * t.size()})
		}
		ADDQ(ldc, pc)
	}
}

func (t isa) bias() {
	TEXT("bias"+t.name, NOSPLIT, "func(x []float32, slope, first float32)")
	Doc("bias" + t.name + " sets x[i] += (first+i)*slope.")
	Pragma("noescape")
	i := GP64()
	x, n := slices(i, "x")[0], Load(Param("x").Len(), GP64())
	slope, first := t.broadcast("slope"), t.broadcast("first")
	VADDPS(iota16(), first, first)
	walk{t, "", i, n, 1}.each(func(a access, disp, _ int) {
		at, p := copyOf(i), t.reg()
		SHRQ(U8(2), at)
		VXORPS(p.AsX(), p.AsX(), p.AsX())
		VCVTSI2SSQ(at, p.AsX(), p.AsX())
		VBROADCASTSS(p.AsX(), p)
		VADDPS(first, p, p)
		v := a.load(x(disp))
		VFMADD231PS(slope, p, v)
		a.store(v, x(disp))
	})
	VZEROUPPER()
	RET()
}

var iotaData *Mem

// iota16 returns where in read-only data the numbers from 0 on are.
func iota16() Mem {
	if iotaData == nil {
		m := GLOBL("iota16", rodata)
		for i := range 16 {
			DATA(4*i, F32(float32(i)))
		}
		iotaData = &m
	}
	return *iotaData
}

func (t isa) softcap() {
	TEXT("softcap"+t.name, NOSPLIT, "func(x []float32, scale, limit float32)")
	Doc("softcap" + t.name + " sets x[i] = limit * tanh(x[i]*scale).")
	Pragma("noescape")
	i := GP64()
	x, scale, limit := slices(i, "x")[0], t.broadcast("scale"), t.broadcast("limit")
	walk{t, "", i, Load(Param("x").Len(), GP64()), 1}.each(func(a access, disp, _ int) {
		v := a.load(x(disp))
		VMULPS(scale, v, v)
		y := t.tanh(v)
		VMULPS(limit, y, y)
		a.store(y, x(disp))
	})
	VZEROUPPER()
	RET()
}

func (t isa) scaleAdd() {
	TEXT("scaleAdd"+t.name, NOSPLIT, "func(x, y []float32, a, b float32)")
	Doc("scaleAdd" + t.name + " sets x[i] = x[i]*a + y[i]*b.")
	Pragma("noescape")
	i := GP64()
	p, f, g := slices(i, "x", "y"), t.broadcast("a"), t.broadcast("b")
	walk{t, "", i, Load(Param("x").Len(), GP64()), 1}.each(func(a access, disp, _ int) {
		x, y := a.load(p[0](disp)), a.load(p[1](disp))
		VMULPS(g, y, y)
		VFMADD213PS(y, f, x)
		a.store(x, p[0](disp))
	})
	VZEROUPPER()
	RET()
}

func (t isa) rotateHalves() {
	TEXT("rotateHalves"+t.name, NOSPLIT, "func(x, own, other []float32, heads, headDim int)")
	Doc("rotateHalves"+t.name+" rotates the pairs (x[i], x[i+half]) of each head, half = len(own)/2:",
		"x[i] = x[i]*own[i] + x[i+half]*other[i], x[i+half] = x[i+half]*own[i+half] + x[i]*other[i+half].")
	Pragma("noescape")
	i, half := GP64(), Load(Param("own").Len(), GP64())
	SHRQ(U8(1), half)
	p := slices(i, "own", "other")
	low := Load(Param("x").Base(), GP64())
	high, heads, next := GP64(), Load(Param("heads"), GP64()), Load(Param("headDim"), GP64())
	LEAQ(Mem{Base: low, Index: half, Scale: 4}, high)
	SHLQ(U8(2), next)
	ends := []func(int) Mem{}
	for range 2 {
		q := GP64()
		o := Load(Param(map[int]string{0: "own", 1: "other"}[len(ends)]).Base(), GP64())
		LEAQ(Mem{Base: o, Index: half, Scale: 4}, q)
		ends = append(ends, indexed(q, i))
	}
	CMPQ(heads, U8(0))
	JE(LabelRef("end"))
	Label("head")
	xl, xh := indexed(low, i), indexed(high, i)
	walk{t, "", i, half, 1}.each(func(a access, disp, _ int) {
		l, h := a.load(xl(disp)), a.load(xh(disp))
		tl, th := a.load(p[1](disp)), a.load(ends[1](disp))
		VMULPS(h, tl, tl)
		VMULPS(l, th, th)
		VFMADD132PS(a.load(p[0](disp)), tl, l)
		VFMADD132PS(a.load(ends[0](disp)), th, h)
		a.store(l, xl(disp))
		a.store(h, xh(disp))
	})
	ADDQ(next, low)
	ADDQ(next, high)
	DECQ(heads)
	JNZ(LabelRef("head"))
	Label("end")
	VZEROUPPER()
	RET()
}

func (t isa) rotatePairs() {
	TEXT("rotatePairs"+t.name, NOSPLIT, "func(x, own, other []float32, heads, headDim int)")
	Doc("rotatePairs"+t.name+" rotates the first len(own) elements of each head, with partner(i) = i^1:",
		"x[i] = x[i]*own[i] + x[partner(i)]*other[i].")
	Pragma("noescape")
	i, n := GP64(), Load(Param("own").Len(), GP64())
	p := slices(i, "own", "other")
	base := Load(Param("x").Base(), GP64())
	heads, next := Load(Param("heads"), GP64()), Load(Param("headDim"), GP64())
	SHLQ(U8(2), next)
	CMPQ(heads, U8(0))
	JE(LabelRef("end"))
	Label("head")
	x := indexed(base, i)
	walk{t, "", i, n, 1}.each(func(a access, disp, _ int) {
		v, swapped := a.load(x(disp)), t.reg()
		VPERMILPS(U8(0b10_11_00_01), v, swapped)
		VMULPS(a.load(p[1](disp)), swapped, swapped)
		VFMADD132PS(a.load(p[0](disp)), swapped, v)
		a.store(v, x(disp))
	})
	ADDQ(next, base)
	DECQ(heads)
	JNZ(LabelRef("head"))
	Label("end")
	VZEROUPPER()
	RET()
}

func spread16() {
	TEXT("spread16AVX2", NOSPLIT, "func(dst []uint16, x []float32, stride int)")
	Doc("spread16AVX2 converts x, of whole panels, to half precision: 16 elements to dst, the next 16",
		"stride elements further.")
	Pragma("noescape")
	dst, x := Load(Param("dst").Base(), GP64()), Load(Param("x").Base(), GP64())
	n, stride := Load(Param("x").Len(), GP64()), Load(Param("stride"), GP64())
	SHRQ(U8(4), n)
	JZ(LabelRef("end"))
	SHLQ(U8(1), stride)
	Label("panel")
	for h := range 2 {
		v := YMM()
		VMOVUPS(Mem{Base: x, Disp: 32 * h}, v)
		VCVTPS2PH(U8(0), v, Mem{Base: dst, Disp: 16 * h})
	}
	ADDQ(U8(64), x)
	ADDQ(stride, dst)
	DECQ(n)
	JNZ(LabelRef("panel"))
	Label("end")
	VZEROUPPER()
	RET()
}

func scatter16() {
	TEXT("scatter16AVX2", NOSPLIT, "func(dst []uint16, x []float32)")
	Doc("scatter16AVX2 converts x, of a multiple of 8 elements, to half precision: dst[16*i] = x[i].")
	Pragma("noescape")
	dst, x := Load(Param("dst").Base(), GP64()), Load(Param("x").Base(), GP64())
	n := Load(Param("x").Len(), GP64())
	SHRQ(U8(3), n)
	JZ(LabelRef("end"))
	Label("eight")
	v, h := YMM(), XMM()
	VMOVUPS(Mem{Base: x}, v)
	VCVTPS2PH(U8(0), v, h)
	for l := range 8 {
		VPEXTRW(U8(l), h, Mem{Base: dst, Disp: 2 * panelLanes * l})
	}
	ADDQ(U8(32), x)
	ADDQ(U32(8*2*panelLanes), dst)
	DECQ(n)
	JNZ(LabelRef("eight"))
	Label("end")
	VZEROUPPER()
	RET()
}
