package asm

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/normswap/normswap/quant"
)

// matrixTests hold the kernels of quantised weights to their definitions
// exactly, and those to float64 sums.
var matrixTests = []kernelTest{
	{"Quantize", func(o *operands, n int) (func(), func() error) {
		groups := 1 + n/Group
		x := o.floats(groups * Group)
		got, want := o.quants(groups), NewQ8(groups)
		return func() { Quantize(got, x) }, func() error {
			quantizeGeneric(want, x)
			for i, v := range x {
				s := want.Scale[i/Group]
				if err := within(fmt.Sprint("value ", i), float64(want.Q[i])*float64(s), float64(v), 0.5*(1+1e-5)*float64(s)+quantTiny); err != nil {
					return err
				}
			}
			if !slices.Equal(got.Q, want.Q) || !slices.Equal(got.Scale, want.Scale) || !slices.Equal(got.ScaledSum, want.ScaledSum) ||
				!slices.Equal(got.Sum, want.Sum) || !slices.Equal(got.HalfSum, want.HalfSum) {
				return fmt.Errorf("got %v, want %v", got, want)
			}
			return nil
		}
	}},
	{"DotQ8", func(o *operands, n int) (func(), func() error) {
		rows, groups := 1+n%5, 1+n/Group
		a, c := o.activations(rows*groups), o.floats(groups*Group)
		got := o.floats(rows)
		return func() { DotQ8(got, a, c) }, func() error {
			want := make([]float32, rows)
			dotQ8Generic(want, a, c)
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
	{"Shuffle", func(o *operands, n int) (func(), func() error) {
		a := fenced(o, 1, Q8x8{}, func() (e Q8x8) {
			for i := range e.Q {
				e.Q[i] = int8(o.r.Int())
			}
			return e
		})
		e, want := &a[0], a[0]
		return func() {
				if active.shuffle != nil {
					active.shuffle((*byte)(unsafe.Pointer(e)))
				} else {
					shuffleGeneric(e)
				}
				if active.stride != nil {
					active.stride((*byte)(unsafe.Pointer(e)))
				} else {
					strideGeneric(e)
				}
			}, func() error {
				shuffleGeneric(&want)
				strideGeneric(&want)
				if *e != want {
					return fmt.Errorf("got %v, want %v", *e, want)
				}
				return nil
			}
	}},
	{"Transpose", func(o *operands, n int) (func(), func() error) {
		rows, cols, flip := 1+n%PanelRows, n%100, uint32(0x80808080)
		src := fenced(o, rows*(cols+3), 7, o.r.Uint32)
		dst := fenced(o, cols*PanelRows, 7, o.r.Uint32)
		return func() { Transpose(dst, src, cols+3, rows, cols, flip) }, func() error {
			want := make([]uint32, len(dst))
			transposeGeneric(want, src, cols+3, rows, cols, flip)
			if !slices.Equal(dst, want) {
				return fmt.Errorf("%d x %d differs", rows, cols)
			}
			return nil
		}
	}},
	{"Gemv", eachType(func(o *operands, t quant.Type, n int) (func(), func() error) {
		groups, rows := someGroups(t, n/64), 1+n%9
		stride := groups * Group / weightTypes[t].Items * weightTypes[t].Bytes
		w, c := o.blocks(t, rows*stride), o.activations(groups)
		a := make([]Q8x8, Q8x8Count(groups))
		PackQ8x8(a, c)
		got := o.floats(rows)
		return func() { Gemv(t, got, w, stride, groups, a) }, func() error {
			want := make([]float32, rows)
			gemvGeneric(t, want, w, stride, groups, a)
			for r := range want {
				sum, size := rowProduct(t, w[r*stride:], c)
				if err := within(fmt.Sprint("row ", r), float64(want[r]), sum, float64(groups+8)*0x1p-22*size); err != nil {
					return err
				}
			}
			return sameFloats(got, want)
		}
	})},
	{"Gemm", eachType(func(o *operands, t quant.Type, n int) (func(), func() error) {
		groups, rows := someGroups(t, n%13), 1+n%PanelRows
		l, columns := &weightTypes[t], groups*Group
		blocks := columns / l.Items
		stride := blocks * l.Bytes
		w, c := o.blocks(t, PanelRows*stride), o.activations(rows*groups)
		ahead := o.blocks(t, n%5*l.Bytes)
		var got, want Tile
		var s Chains
		run := func(got *Tile, unpack func(p Panel), gemm func(p Panel, a Q8Panel), size int, flip uint32) {
			p := Panel{
				Q:            fenced(o, size*PanelRows*columns, 7, func() int8 { return 0 }),
				Scale:        o.floats(PanelRows * columns / l.Group),
				Min:          o.floats(PanelRows * columns / l.Group),
				Compensation: fenced(o, PanelRows*columns/l.Group, 7, func() int32 { return 0 }),
			}
			a := Q8Panel{
				Q:         fenced(o, PanelRows*columns/4, 7, o.r.Uint32),
				Scale:     o.floats(PanelRows * groups),
				ScaledSum: o.floats(PanelRows * groups),
				HalfSum:   fenced(o, PanelRows*groups, 7, o.r.Uint32),
			}
			PackHalfSums(a.HalfSum, c.HalfSum, rows)
			Transpose(a.Q, bits(c.Q), columns/4, rows, columns/4, flip)
			Transpose(bits(a.Scale), bits(c.Scale), groups, rows, groups, 0)
			Transpose(bits(a.ScaledSum), bits(c.ScaledSum), groups, rows, groups, 0)
			unpack(p)
			gemm(p, a)
		}
		return func() {
				run(&got, func(p Panel) { Unpack(t, p, blocks, w, stride) },
					func(p Panel, a Q8Panel) {
						Gemm(t, &got, p, a, columns, rows, ahead, &s)
					}, QuantBytes(t), SignFlip())
			}, func() error {
				run(&want, func(p Panel) { unpackGeneric(t, p, blocks, w, stride) },
					func(p Panel, a Q8Panel) { gemmGeneric(t, &want, p, a, columns, 0) }, 1, 0)
				for n := range rows {
					a := make([]Q8x8, Q8x8Count(groups))
					PackQ8x8(a, c.Groups(n*groups, (n+1)*groups))
					one := make([]float32, PanelRows)
					Gemv(t, one, w, stride, groups, a)
					for r, v := range one {
						if want[r*PanelRows+n] != v {
							return fmt.Errorf("product %d, %d: %v of one row, %v of many", r, n, v, want[r*PanelRows+n])
						}
					}
				}
				for r := range PanelRows { // the other products are undefined
					if err := sameFloats(got[r*PanelRows:][:rows], want[r*PanelRows:][:rows]); err != nil {
						return fmt.Errorf("row %d of weights: %w", r, err)
					}
				}
				return nil
			}
	})},
	{"GemmStored", eachType(func(o *operands, t quant.Type, n int) (func(), func() error) {
		groups, rows := someGroups(t, n%13), 1+n%StoredRows
		columns := groups * Group
		if !CanGemmStored(t, rows) || columns == 0 {
			return func() {}, func() error { return nil }
		}
		panels := (rows + PanelRows - 1) / PanelRows
		stride := columns / weightTypes[t].Items * weightTypes[t].Bytes
		w, q := o.blocks(t, PanelRows*stride), o.activations(rows*groups)
		ahead := o.blocks(t, n%5*weightTypes[t].Bytes)
		all := Q8Panel{
			Q:     fenced(o, panels*PanelRows*columns/4, 7, o.r.Uint32),
			Scale: o.floats(panels * PanelRows * groups),
		}
		for i := range panels {
			n := min(rows-i*PanelRows, PanelRows)
			some := q.Groups(i*PanelRows*groups, (i*PanelRows+n)*groups)
			Transpose(all.Q[i*PanelRows*columns/4:], bits(some.Q), columns/4, n, columns/4, SignFlip())
			Transpose(bits(all.Scale[i*PanelRows*groups:]), bits(some.Scale), groups, n, groups, 0)
		}
		got := (*Chains)(o.floats(len(Chains{})))
		return func() { GemmStored(t, got, w, stride, all, columns, rows, ahead) }, func() error {
			for n := range rows {
				a := make([]Q8x8, Q8x8Count(groups))
				PackQ8x8(a, q.Groups(n*groups, (n+1)*groups))
				want := make([]float32, PanelRows)
				gemvGeneric(t, want, w, stride, groups, a)
				if err := sameFloats(got[n*PanelRows:][:PanelRows], want); err != nil {
					return fmt.Errorf("row %d of activations: %w", n, err)
				}
			}
			return nil
		}
	})},
	{"Epilogue", epilogueTest(Epilogue, func(c []float32, r, n int) float32 { return c[r*PanelRows+n] })},
	{"EpilogueRows", epilogueTest(EpilogueRows, func(c []float32, r, n int) float32 { return c[n*PanelRows+r] })},
	{"SumColumns", eachType(func(o *operands, t quant.Type, n int) (func(), func() error) {
		l, groups := &weightTypes[t], someGroups(t, n%9)
		columns := groups * Group
		stride := columns / l.Items * l.Bytes
		w := o.blocks(t, PanelRows*stride)
		m := PanelRows * columns / l.Group
		panel := func(size int) Panel {
			return Panel{make([]int8, size*PanelRows*columns), make([]float32, m), make([]float32, m), make([]int32, m)}
		}
		p := panel(QuantBytes(t))
		Unpack(t, p, columns/l.Items, w, stride)
		first := n % PanelRows
		rows := 1 + n/PanelRows%(PanelRows-first)
		got := fenced(o, columns, math.NaN(), o.r.NormFloat64)
		want := slices.Clone(got)
		return func() { SumColumns(t, got, p, first, rows) }, func() error {
			p := panel(1)
			unpackGeneric(t, p, columns/l.Items, w, stride)
			sumColumnsGeneric(t, want, p, first, rows)
			if !slices.Equal(got, want) {
				return fmt.Errorf("sums of %d rows from %d differ", rows, first)
			}
			return nil
		}
	})},
}

// quantTypes are the types whose quants the kernels read.
var quantTypes = func() (all []quant.Type) {
	for t := range weightTypes {
		if weightTypes[t].Group > 0 {
			all = append(all, quant.Type(t))
		}
	}
	return all
}()

// eachType makes one test of a test for every type.
func eachType(prepare func(o *operands, t quant.Type, n int) (func(), func() error)) func(*operands, int) (func(), func() error) {
	return func(o *operands, n int) (func(), func() error) {
		var runs []func()
		var checks []func() error
		for _, t := range quantTypes {
			run, check := prepare(o, t, n)
			runs, checks = append(runs, run), append(checks, check)
		}
		return func() {
				for _, run := range runs {
					run()
				}
			}, func() error {
				for i, check := range checks {
					if err := check(); err != nil {
						return fmt.Errorf("%v: %w", quantTypes[i], err)
					}
				}
				return nil
			}
	}
}

// someGroups returns a number of groups that a row may have.
func someGroups(t quant.Type, n int) int {
	if items := weightTypes[t].Items; items == 256 {
		return 8 * (1 + n%3)
	} else {
		return 8 + n/(items/Group)*(items/Group)
	}
}

// blocks returns n bytes of random blocks between bytes that are NaN as
// scales.
func (o *operands) blocks(t quant.Type, n int) []byte {
	b := fenced(o, n, 0xff, func() byte { return byte(o.r.Uint32()) })
	l := &weightTypes[t]
	for at := 0; at < n; at += l.Bytes {
		for _, f := range []quant.Field{l.D, l.M} { // numbers of 2^-8 to 2^-3
			switch f.Bits {
			case 16:
				binary.LittleEndian.PutUint16(b[at+f.At:], uint16(o.r.Uint32())&0x93ff|0x1c00)
			case 8:
				b[at+f.At] = byte(120 + o.r.IntN(6))
			}
		}
		if t == quant.IQ1_M { // its nibbles are in the last bytes of words
			for k, n := range []byte{0, 0, 12, 1} {
				b[at+49+2*k] = b[at+49+2*k]&15 | n<<4
			}
		}
	}
	return b
}

// quants returns room for quants between fences.
func (o *operands) quants(groups int) Q8 {
	zero := func() int32 { return 0 }
	return Q8{
		Q:         fenced(o, groups*Group, 99, func() int8 { return 0 }),
		Scale:     o.floats(groups),
		ScaledSum: o.floats(groups),
		Sum:       fenced(o, groups, 99, zero),
		HalfSum:   fenced(o, 2*groups, 99, zero),
	}
}

// activations returns quantised random activations.
func (o *operands) activations(groups int) Q8 {
	c := NewQ8(groups)
	quantizeGeneric(c, o.floats(groups*Group))
	return c
}

// rowProduct returns the product of a row of blocks and quantised activations,
// and the sum of the magnitudes in it.
func rowProduct(t quant.Type, w []byte, c Q8) (sum, size float64) {
	l := &weightTypes[t]
	var quants [256]int8
	var scale, min [16]float32
	for k, q := range c.Q {
		if k%l.Items == 0 {
			l.Unpack(quants[:l.Items], scale[:], min[:], w[k/l.Items*l.Bytes:])
		}
		i := k % l.Items
		a := float64(q) * float64(c.Scale[k/Group])
		s, m := a*float64(quants[i])*float64(scale[i/l.Group]), a*float64(min[i/l.Group])
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

// Q8 and scales that are not numbers make outputs that are not.
func TestGemvKeepsNaN(test *testing.T) {
	eachTier(test, func(test *testing.T) {
		for _, t := range quantTypes {
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				x := make([]float32, 256)
				x[77] = float32(bad)
				c, a := NewQ8(8), make([]Q8x8, 1)
				Quantize(c, x)
				PackQ8x8(a, c)
				w := make([]byte, weightTypes[t].Bytes*256/weightTypes[t].Items)
				dst := make([]float32, 1)
				Gemv(t, dst, w, len(w), 8, a)
				if dst[0] == dst[0] {
					test.Errorf("%v: %v becomes %v", t, bad, dst[0])
				}
			}
		}
	})
}

// TestQuantizeEdges quantises groups with a value at the edge of what floats
// and quants can be among others that round to even.
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
		got, want := NewQ8(len(x)/Group), NewQ8(len(x)/Group)
		Quantize(got, x)
		quantizeGeneric(want, x)
		for g := range want.Scale {
			if q, w := got.Q[g*Group:][:Group], want.Q[g*Group:][:Group]; !slices.Equal(q, w) {
				t.Errorf("group %d, %v: quants %v, want %v", g, x[g*Group:][:Group], q, w)
			}
		}
		for _, err := range []error{sameFloats(got.Scale, want.Scale), sameFloats(got.ScaledSum, want.ScaledSum)} {
			if err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(got.Sum, want.Sum) || !slices.Equal(got.HalfSum, want.HalfSum) {
			t.Errorf("sums %v of %v, want %v of %v", got.Sum, got.HalfSum, want.Sum, want.HalfSum)
		}
	})
}

// epilogueTest holds an epilogue against its sums, in order; product is that of row r and lane n.
func epilogueTest(epilogue EpilogueFunc, product func(c []float32, r, n int) float32) func(o *operands, n int) (func(), func() error) {
	return func(o *operands, n int) (func(), func() error) {
		rows, lanes, add := 1+n%PanelRows, 1+n/PanelRows%PanelRows, o.r.IntN(2) == 0
		stride := rows + n%5
		got, c := o.floats((lanes-1)*stride+rows), o.floats(PanelRows*PanelRows)
		var bias, mean []float32
		if o.r.IntN(2) == 0 {
			bias = o.floats(rows)
		}
		if o.r.IntN(2) == 0 {
			mean = o.floats(lanes)
		}
		want := slices.Clone(got)
		return func() { epilogue(got, stride, c, rows, lanes, bias, mean, add) }, func() error {
			for n := range lanes {
				for r := range rows {
					v := product(c, r, n)
					if add {
						v += want[n*stride+r]
					}
					if bias != nil {
						v += bias[r]
					}
					if mean != nil {
						v -= mean[n]
					}
					want[n*stride+r] = v
				}
			}
			return sameFloats(got, want)
		}
	}
}

func FuzzQuantize(f *testing.F)     { fuzzKernel(f, "Quantize") }
func FuzzShuffle(f *testing.F)      { fuzzKernel(f, "Shuffle") }
func FuzzTranspose(f *testing.F)    { fuzzKernel(f, "Transpose") }
func FuzzGemv(f *testing.F)         { fuzzKernel(f, "Gemv") }
func FuzzGemm(f *testing.F)         { fuzzKernel(f, "Gemm") }
func FuzzGemmStored(f *testing.F)   { fuzzKernel(f, "GemmStored") }
func FuzzEpilogueRows(f *testing.F) { fuzzKernel(f, "EpilogueRows") }
func FuzzEpilogue(f *testing.F)     { fuzzKernel(f, "Epilogue") }
func FuzzDotQ8(f *testing.F)        { fuzzKernel(f, "DotQ8") }
func FuzzSumColumns(f *testing.F)   { fuzzKernel(f, "SumColumns") }

func BenchmarkDotQ8(b *testing.B)    { benchKernel(b, "DotQ8", 768, 2048) }
func BenchmarkQuantize(b *testing.B) { benchKernel(b, "Quantize", 768, 2048) }

// bits returns the memory of x as words.
func bits[T int8 | float32](x []T) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(*new(T)))/4)
}

// BenchmarkGemm multiplies a panel with a tile, both in the cache.
func BenchmarkGemm(b *testing.B) {
	defer Reset()
	const columns = 768
	for _, t := range quantTypes {
		for _, tier := range Tiers() {
			if err := Select(tier); err != nil {
				b.Fatal(err)
			}
			n := PanelRows * columns / weightTypes[t].Group
			p := Panel{make([]int8, QuantBytes(t)*PanelRows*columns), make([]float32, n), make([]float32, n), make([]int32, n)}
			n = PanelRows * columns / Group
			a := Q8Panel{make([]uint32, PanelRows*columns/4), make([]float32, n), make([]float32, n), make([]uint32, n)}
			var c Tile
			var s Chains
			for _, rows := range []int{8, 16} {
				b.Run(fmt.Sprintf("type=%v/rows=%d/impl=%s", t, rows, tier), func(b *testing.B) {
					for b.Loop() {
						Gemm(t, &c, p, a, columns, rows, nil, &s)
					}
					b.ReportMetric(columns*PanelRows*float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gmac/s")
				})
			}
		}
	}
}
