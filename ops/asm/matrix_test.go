package asm

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"
	"unsafe"
)

// matrixTests hold the kernels of quantised weights to their definitions
// exactly, and those to float64 sums.
var matrixTests = []kernelTest{
	{"Quantize", func(o *operands, n int) (func(), func() error) {
		groups := 1 + n/Group
		x := o.floats(groups * Group)
		got, want := o.codes(groups), NewCodes(groups)
		return func() { Quantize(got, x) }, func() error {
			quantizeGeneric(want, x)
			for i, v := range x {
				s := want.Scale[i/Group]
				if err := within(fmt.Sprint("value ", i), float64(want.Q[i])*float64(s), float64(v), 0.5*(1+1e-5)*float64(s)+quantTiny); err != nil {
					return err
				}
			}
			if !slices.Equal(got.Q, want.Q) || !slices.Equal(got.Scale, want.Scale) || !slices.Equal(got.Low, want.Low) ||
				!slices.Equal(got.Sum, want.Sum) || !slices.Equal(got.Half, want.Half) {
				return fmt.Errorf("got %v, want %v", got, want)
			}
			return nil
		}
	}},
	{"DotCodes", func(o *operands, n int) (func(), func() error) {
		rows, groups := 1+n%5, 1+n/Group
		a, c := o.activations(rows*groups), o.floats(groups*Group)
		got := o.floats(rows)
		return func() { DotCodes(got, a, c) }, func() error {
			want := make([]float32, rows)
			dotCodesGeneric(want, a, c)
			for r, v := range want {
				var sum, size float64
				for i, f := range c {
					p := float64(f) * float64(a.Q[r*len(c)+i]) * float64(a.Scale[(r*len(c)+i)/Group])
					sum, size = sum+p, size+math.Abs(p)
				}
				if err := within(fmt.Sprint("row ", r), float64(v), sum, float64(groups+6)*0x1p-24*size); err != nil {
					return err
				}
			}
			return sameFloats(got, want)
		}
	}},
	{"Cross", func(o *operands, n int) (func(), func() error) {
		a := fenced(o, 1, Eight{}, func() (e Eight) {
			for i := range e.Q {
				e.Q[i] = int8(o.r.Int())
			}
			return e
		})
		e, want := &a[0], a[0]
		return func() { cross(e) }, func() error {
			crossGeneric(&want)
			if *e != want {
				return fmt.Errorf("got %v, want %v", *e, want)
			}
			return nil
		}
	}},
	{"Transpose", func(o *operands, n int) (func(), func() error) {
		rows, cols, flip := 1+n%TileRows, n%100, uint32(0x80808080)
		src := fenced(o, rows*(cols+3), 7, o.r.Uint32)
		dst := fenced(o, cols*TileRows, 7, o.r.Uint32)
		return func() { Transpose(dst, src, cols+3, rows, cols, flip) }, func() error {
			want := make([]uint32, len(dst))
			transposeGeneric(want, src, cols+3, rows, cols, flip)
			if !slices.Equal(dst, want) {
				return fmt.Errorf("%d x %d differs", rows, cols)
			}
			return nil
		}
	}},
	{"Gemv", eachFormat(func(o *operands, f Format, n int) (func(), func() error) {
		groups, rows := f.someGroups(n/64), 1+n%9
		stride := groups * Group / layouts[f].Items * layouts[f].Bytes
		w, c := o.blocks(f, rows*stride), o.activations(groups)
		a := make([]Eight, Eights(groups))
		Arrange(a, c)
		got := o.floats(rows)
		return func() { Gemv(f, got, w, stride, groups, a) }, func() error {
			want := make([]float32, rows)
			gemvGeneric(f, want, w, stride, groups, a)
			for r := range want {
				sum, size := rowProduct(f, w[r*stride:], c)
				if err := within(fmt.Sprint("row ", r), float64(want[r]), sum, float64(groups+8)*0x1p-22*size); err != nil {
					return err
				}
			}
			return sameFloats(got, want)
		}
	})},
	{"Gemm", eachFormat(func(o *operands, f Format, n int) (func(), func() error) {
		groups, rows := f.someGroups(n%13), 1+n%TileRows
		l, columns := layouts[f], groups*Group
		blocks := columns / l.Items
		stride := blocks * l.Bytes
		w, c := o.blocks(f, PanelRows*stride), o.activations(rows*groups)
		var got, want [PanelRows * TileRows]float32
		var s Chains
		run := func(got *[PanelRows * TileRows]float32, unpack func(p Panel), gemm func(p Panel, t Tile), size int, flip uint32) {
			p := Panel{
				Q:     fenced(o, size*PanelRows*columns, 7, func() int8 { return 0 }),
				Scale: o.floats(PanelRows * columns / l.Group),
				Low:   o.floats(PanelRows * columns / l.Group),
				Start: fenced(o, PanelRows*columns/l.Group, 7, func() int32 { return 0 }),
			}
			t := Tile{
				Q:     fenced(o, TileRows*columns/4, 7, o.r.Uint32),
				Scale: o.floats(TileRows * groups),
				Low:   o.floats(TileRows * groups),
				Half:  fenced(o, TileRows*groups, 7, o.r.Uint32),
			}
			PackHalves(t.Half, c.Half, rows)
			Transpose(t.Q, bits(c.Q), columns/4, rows, columns/4, flip)
			Transpose(bits(t.Scale), bits(c.Scale), groups, rows, groups, 0)
			Transpose(bits(t.Low), bits(c.Low), groups, rows, groups, 0)
			unpack(p)
			gemm(p, t)
		}
		return func() {
				run(&got, func(p Panel) { Unpack(f, p, blocks, w, stride) },
					func(p Panel, t Tile) { Gemm(f, &got, p, t, columns, &s) }, CodeBytes(f), TileFlip())
			}, func() error {
				run(&want, func(p Panel) { unpackGeneric(f, p, blocks, w, stride) },
					func(p Panel, t Tile) { gemmGeneric(f, &want, p, t, columns) }, 1, 0)
				for n := range rows {
					a := make([]Eight, Eights(groups))
					Arrange(a, c.Groups(n*groups, (n+1)*groups))
					one := make([]float32, PanelRows)
					Gemv(f, one, w, stride, groups, a)
					for r, v := range one {
						if want[r*TileRows+n] != v {
							return fmt.Errorf("product %d, %d: %v of one row, %v of many", r, n, v, want[r*TileRows+n])
						}
					}
				}
				return sameFloats(got[:], want[:])
			}
	})},
	{"Finish", func(o *operands, n int) (func(), func() error) {
		rows, lanes, add := 1+n%PanelRows, 1+n/PanelRows%TileRows, o.r.IntN(2) == 0
		stride := rows + n%5
		got, c := o.floats((lanes-1)*stride+rows), o.floats(PanelRows*TileRows)
		var bias, shift []float32
		if o.r.IntN(2) == 0 {
			bias = o.floats(rows)
		}
		if o.r.IntN(2) == 0 {
			shift = o.floats(lanes)
		}
		want := slices.Clone(got)
		return func() { Finish(got, stride, c, rows, lanes, bias, shift, add) }, func() error {
			finishGeneric(want, stride, c, rows, lanes, bias, shift, add)
			return sameFloats(got, want)
		}
	}},
	{"AddColumns", eachFormat(func(o *operands, f Format, n int) (func(), func() error) {
		l, groups := layouts[f], f.someGroups(n%9)
		columns := groups * Group
		stride := columns / l.Items * l.Bytes
		w := o.blocks(f, PanelRows*stride)
		m := PanelRows * columns / l.Group
		panel := func(size int) Panel {
			return Panel{make([]int8, size*PanelRows*columns), make([]float32, m), make([]float32, m), make([]int32, m)}
		}
		p := panel(CodeBytes(f))
		Unpack(f, p, columns/l.Items, w, stride)
		first := n % PanelRows
		rows := 1 + n/PanelRows%(PanelRows-first)
		got := fenced(o, columns, math.NaN(), o.r.NormFloat64)
		want := slices.Clone(got)
		return func() { AddColumns(f, got, p, first, rows) }, func() error {
			p := panel(1)
			unpackGeneric(f, p, columns/l.Items, w, stride)
			addColumnsGeneric(f, want, p, first, rows)
			if !slices.Equal(got, want) {
				return fmt.Errorf("sums of %d rows from %d differ", rows, first)
			}
			return nil
		}
	})},
}

// eachFormat makes one test of a test for every format.
func eachFormat(prepare func(o *operands, f Format, n int) (func(), func() error)) func(*operands, int) (func(), func() error) {
	return func(o *operands, n int) (func(), func() error) {
		var runs [formats]func()
		var checks [formats]func() error
		for f := range formats {
			runs[f], checks[f] = prepare(o, f, n)
		}
		return func() {
				for _, run := range runs {
					run()
				}
			}, func() error {
				for f, check := range checks {
					if err := check(); err != nil {
						return fmt.Errorf("format %d: %w", f, err)
					}
				}
				return nil
			}
	}
}

// someGroups returns a number of groups that a row may have.
func (f Format) someGroups(n int) int {
	if layouts[f].Items == 256 {
		return 8 * (1 + n%3)
	}
	return 8 + n
}

// blocks returns n bytes of random blocks between bytes that are NaN as
// scales.
func (o *operands) blocks(f Format, n int) []byte {
	b := fenced(o, n, 0xff, func() byte { return byte(o.r.Uint32()) })
	l := layouts[f]
	for at := 0; at < n; at += l.Bytes {
		places := []int{0, 2}[:1]
		switch {
		case f == Q6_K:
			places = []int{208}
		case l.Low:
			places = []int{0, 2}
		}
		for _, p := range places { // half-precision numbers of 2^-8 to 2^-3
			binary.LittleEndian.PutUint16(b[at+p:], uint16(o.r.Uint32())&0x93ff|0x1c00)
		}
	}
	return b
}

// codes returns room for codes between fences.
func (o *operands) codes(groups int) Codes {
	zero := func() int32 { return 0 }
	return Codes{
		Q:     fenced(o, groups*Group, 99, func() int8 { return 0 }),
		Scale: o.floats(groups),
		Low:   o.floats(groups),
		Sum:   fenced(o, groups, 99, zero),
		Half:  fenced(o, 2*groups, 99, zero),
	}
}

// activations returns quantised random activations.
func (o *operands) activations(groups int) Codes {
	c := NewCodes(groups)
	quantizeGeneric(c, o.floats(groups*Group))
	return c
}

// rowProduct returns the product of a row of blocks and quantised activations,
// and the sum of the magnitudes in it.
func rowProduct(f Format, w []byte, c Codes) (sum, size float64) {
	l := layouts[f]
	var code [256]int8
	var scale, low [16]float32
	for k, q := range c.Q {
		if k%l.Items == 0 {
			decodeScales(f, &scale, &low, w[k/l.Items*l.Bytes:])
			decodeCodes(f, &code, w[k/l.Items*l.Bytes:])
		}
		i := k % l.Items
		a := float64(q) * float64(c.Scale[k/Group])
		s, m := a*float64(code[i])*float64(scale[i/l.Group]), 0.0
		if l.Low {
			m = a * float64(low[i/l.Group])
		}
		sum += s + m
		size += math.Abs(s) + math.Abs(m)
	}
	return sum, size
}

// sameFloats reports the first difference; NaN is the same as NaN.
func sameFloats(got, want []float32) error {
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
			return fmt.Errorf("element %d: got %v, want %v", i, got[i], want[i])
		}
	}
	return nil
}

// Codes and scales that are not numbers make outputs that are not.
func TestGemvKeepsNaN(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for f := range formats {
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				x := make([]float32, 256)
				x[77] = float32(bad)
				c, a := NewCodes(8), make([]Eight, 1)
				Quantize(c, x)
				Arrange(a, c)
				w := make([]byte, layouts[f].Bytes*256/layouts[f].Items)
				dst := make([]float32, 1)
				Gemv(f, dst, w, len(w), 8, a)
				if dst[0] == dst[0] {
					t.Errorf("format %d: %v becomes %v", f, bad, dst[0])
				}
			}
		}
	})
}

// TestQuantizeEdges quantises groups with a value at the edge of what floats
// and codes can be among others that round to even.
func TestQuantizeEdges(t *testing.T) {
	edges := []float64{0, math.Copysign(0, -1), 0x1p-149, 0x1p-126, quantTiny / 2, quantTiny, 127, -127, math.MaxFloat32,
		-math.MaxFloat32, math.Inf(1), math.Inf(-1), math.NaN()}
	x := make([]float32, 2*len(edges)*Group)
	for i := range x {
		edge := float32(edges[i/Group%len(edges)])
		switch {
		case i%Group == i/Group%Group:
			x[i] = edge
		case i/Group < len(edges): // small next to the edge
			x[i] = edge * (float32(i%Group) - 15.5) / 127
		default:
			x[i] = float32(i%Group) - 15.5
		}
	}
	eachTier(t, func(t *testing.T) {
		got, want := NewCodes(len(x)/Group), NewCodes(len(x)/Group)
		Quantize(got, x)
		quantizeGeneric(want, x)
		for g := range want.Scale {
			if q, w := got.Q[g*Group:][:Group], want.Q[g*Group:][:Group]; !slices.Equal(q, w) {
				t.Errorf("group %d, %v: codes %v, want %v", g, x[g*Group:][:Group], q, w)
			}
		}
		for _, err := range []error{sameFloats(got.Scale, want.Scale), sameFloats(got.Low, want.Low)} {
			if err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(got.Sum, want.Sum) || !slices.Equal(got.Half, want.Half) {
			t.Errorf("sums %v of %v, want %v of %v", got.Sum, got.Half, want.Sum, want.Half)
		}
	})
}

func FuzzQuantize(f *testing.F)   { fuzzKernel(f, "Quantize") }
func FuzzCross(f *testing.F)      { fuzzKernel(f, "Cross") }
func FuzzTranspose(f *testing.F)  { fuzzKernel(f, "Transpose") }
func FuzzGemv(f *testing.F)       { fuzzKernel(f, "Gemv") }
func FuzzGemm(f *testing.F)       { fuzzKernel(f, "Gemm") }
func FuzzFinish(f *testing.F)     { fuzzKernel(f, "Finish") }
func FuzzDotCodes(f *testing.F)   { fuzzKernel(f, "DotCodes") }
func FuzzAddColumns(f *testing.F) { fuzzKernel(f, "AddColumns") }

func BenchmarkDotCodes(b *testing.B) { benchKernel(b, "DotCodes", 768, 2048) }
func BenchmarkQuantize(b *testing.B) { benchKernel(b, "Quantize", 768, 2048) }

// bits returns the memory of x as words.
func bits[T int8 | float32](x []T) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(*new(T)))/4)
}

// BenchmarkGemm multiplies a panel with a tile, both in the cache.
func BenchmarkGemm(b *testing.B) {
	defer Reset()
	const columns = 768
	for f := range formats {
		for _, tier := range Tiers() {
			if err := Select(tier); err != nil {
				b.Fatal(err)
			}
			n := PanelRows * columns / layouts[f].Group
			p := Panel{make([]int8, CodeBytes(f)*PanelRows*columns), make([]float32, n), make([]float32, n), make([]int32, n)}
			n = TileRows * columns / Group
			t := Tile{make([]uint32, TileRows*columns/4), make([]float32, n), make([]float32, n), make([]uint32, n)}
			var c [PanelRows * TileRows]float32
			var s Chains
			b.Run(fmt.Sprintf("format=%d/impl=%s", f, tier), func(b *testing.B) {
				for b.Loop() {
					Gemm(f, &c, p, t, columns, &s)
				}
				b.ReportMetric(columns*PanelRows*TileRows*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gmac/s")
			})
		}
	}
}
