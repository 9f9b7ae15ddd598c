package quant

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/x448/float16"

	"github.com/normswap/normswap/internal/testdata"
)

// A reference is what ggml's own quantiser makes of source.f32.
type reference struct {
	Type  Type
	Name  string
	Block int
	Bytes int
	RMSE  float64

	encoded []byte
	decoded []float32
}

func references(t testing.TB) (source []float32, refs []reference) {
	t.Helper()
	if err := json.Unmarshal(testdata.Read(t, "blocks/index.json"), &refs); err != nil {
		t.Fatal(err)
	}
	for i := range refs {
		r := &refs[i]
		r.encoded = testdata.Read(t, "blocks/"+r.Name+".bin")
		r.decoded = testdata.Floats(t, testdata.Read(t, "blocks/"+r.Name+".f32"))
	}
	return testdata.Floats(t, testdata.Read(t, "blocks/source.f32")), refs
}

func rmse(a, b []float32) float64 {
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(a)))
}

// firstDifference returns the first position where the bits differ, or -1.
func firstDifference(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	return -1
}

func TestFormats(t *testing.T) {
	_, refs := references(t)
	for _, r := range refs {
		want := Format{strings.ToUpper(r.Name), r.Block, r.Bytes}
		if got, ok := r.Type.Format(); !ok || got != want {
			t.Errorf("type %d: format %v, %v, want %v", uint32(r.Type), got, ok, want)
		}
		if got, err := ParseType(r.Name); err != nil || got != r.Type {
			t.Errorf("ParseType(%q) = %v, %v, want %v", r.Name, got, err, r.Type)
		}
	}
	for _, typ := range Types() {
		if got, err := ParseType(strings.ToLower(typ.String())); err != nil || got != typ {
			t.Errorf("ParseType of the name of %v = %v, %v", typ, got, err)
		}
		inFile := typ >= I8 && typ <= F64 || slices.ContainsFunc(refs, func(r reference) bool { return r.Type == typ })
		if !inFile {
			t.Errorf("%v has no reference", typ)
		}
	}
	if len(Types()) != len(refs)+5 {
		t.Errorf("%d types, want the %d with references, four integers and F64", len(Types()), len(refs))
	}
}

func TestUnknownTypes(t *testing.T) {
	for _, typ := range []Type{4, 5, 9, 15, 31, 36, 43, 99, math.MaxUint32} {
		if _, ok := typ.Format(); ok {
			t.Errorf("type %d has a format", uint32(typ))
		}
		if got, want := typ.String(), fmt.Sprint("type ", uint32(typ)); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
		if _, err := typ.RowBytes(256); err == nil {
			t.Errorf("%v has a row size", typ)
		}
		if typ.CanEncode() {
			t.Errorf("%v can be encoded", typ)
		}
		if Decode(nil, typ, nil) == nil || Encode(nil, typ, nil) == nil {
			t.Errorf("%v decodes or encodes", typ)
		}
	}
	for _, name := range []string{"", "Q4", "type 99", "q4_0 "} {
		if got, err := ParseType(name); err == nil {
			t.Errorf("ParseType(%q) = %v", name, got)
		}
	}
}

func TestRowBytes(t *testing.T) {
	for _, c := range []struct {
		typ         Type
		items, want int
	}{
		{F32, 0, 0}, {F32, 3, 12}, {Q4_0, 64, 36}, {Q6_K, 512, 420}, {I64, math.MaxInt / 8, math.MaxInt / 8 * 8},
		{Q4_0, 33, -1}, {Q4_K, 32, -1}, {F32, -1, -1}, {Q8_0, -32, -1},
		{F32, math.MaxInt / 2, -1}, {I64, math.MaxInt/8 + 1, -1}, {Q8_0, math.MaxInt &^ 31, -1},
	} {
		got, err := c.typ.RowBytes(c.items)
		if c.want < 0 && err == nil || c.want >= 0 && (err != nil || got != c.want) {
			t.Errorf("%v.RowBytes(%d) = %d, %v, want %d", c.typ, c.items, got, err, c.want)
		}
	}
}

func TestDecodeMatchesReference(t *testing.T) {
	_, refs := references(t)
	for _, r := range refs {
		got := make([]float32, len(r.decoded))
		if err := Decode(got, r.Type, r.encoded); err != nil {
			t.Error(err)
		} else if i := firstDifference(got, r.decoded); i >= 0 {
			t.Errorf("%v: value %d is %v, want %v", r.Type, i, got[i], r.decoded[i])
		}
	}
}

func TestDecodeWide(t *testing.T) {
	for _, c := range []struct {
		typ  Type
		src  []byte
		want []float32
	}{
		{I8, []byte{0, 1, 0x7f, 0x80, 0xff}, []float32{0, 1, 127, -128, -1}},
		{I16, []byte{0, 1, 0xff, 0x7f, 0, 0x80, 0xfe, 0xff}, []float32{256, 32767, -32768, -2}},
		{I32, []byte{1, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}, []float32{1 << 24, -1}}, // 2^24 + 1 ties to even
		{I64, []byte{0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80}, []float32{1 << 32, math.MinInt64}},
		{F64, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0xbf}, []float32{-1.5}},
	} {
		got := make([]float32, len(c.want))
		if err := Decode(got, c.typ, c.src); err != nil || firstDifference(got, c.want) >= 0 {
			t.Errorf("%v: %v, %v, want %v", c.typ, got, err, c.want)
		}
	}
}

func TestDecodeF16IsFloat16(t *testing.T) {
	src, got := make([]byte, 2<<16), make([]float32, 1<<16)
	for i := range 1 << 16 {
		src[2*i], src[2*i+1] = byte(i), byte(i>>8)
	}
	decodeF16(got, src)
	for i := range got {
		want := float16.Frombits(uint16(i)).Float32()
		if math.Float32bits(got[i]) != math.Float32bits(want) {
			t.Fatalf("half %#04x is %v, want %v", i, got[i], want)
		}
	}
}

// The hashes are of the tables in llama.cpp's ggml-common.h (release v0.5.0)
// as they lie in memory on a little-endian machine.
func TestGridsAreThoseOfGGML(t *testing.T) {
	bytesOf := func(p []int8) (b []byte) {
		for _, v := range p {
			b = append(b, byte(v))
		}
		return b
	}
	hash := func(points ...[]int8) string {
		h := sha256.New()
		for _, p := range points {
			h.Write(bytesOf(p))
		}
		return hex.EncodeToString(h.Sum(nil))
	}
	eights := func(points [][8]int8) (out [][]int8) {
		for i := range points {
			out = append(out, points[i][:])
		}
		return out
	}
	fours := func(points [][4]int8) (out [][]int8) {
		for i := range points {
			out = append(out, points[i][:])
		}
		return out
	}
	for _, c := range []struct {
		name   string
		points [][]int8
		count  int
		want   string
	}{
		{"IQ1", eights(gridIQ1()), 2048, "07540ffc1aeaf6ad4d97e96b0fcc765aae39671d4ae4a27bbd0e796fde167c6a"},
		{"IQ2_XXS", eights(gridIQ2_XXS()), 256, "05826b5d3e472a3a78f196be62ac78acf81df0f909626e12ab9fa2a5d490dd54"},
		{"IQ2_XS", eights(gridIQ2_XS()), 512, "06e47aaca60b4dc1d9b5a3f34540437058a6b142b4d7a59d5ded769b4d1bf1de"},
		{"IQ2_S", eights(gridIQ2_S()), 1024, "e1aa1473412b0552c2174c30ef22ab4073f6a181b85a17056e8249bd2932fd88"},
		{"IQ3_XXS", fours(gridIQ3_XXS()), 256, "46e35f5a997efdee6c99ce57854c8a0d4f0ff8ca57e5e8a60c0793ea580acf5d"},
		{"IQ3_S", fours(gridIQ3_S()), 512, "bd1af4945a1717c65610b0284e4628b9a1ba3b306fae3a06f6e5f597356e349f"},
	} {
		if got := hash(c.points...); len(c.points) != c.count || got != c.want {
			t.Errorf("%s: %d points, hash %s, want %d and %s", c.name, len(c.points), got, c.count, c.want)
		}
	}
}

func TestLengthsAreChecked(t *testing.T) {
	for _, typ := range Types() {
		f, _ := typ.Format()
		for _, n := range []struct{ items, bytes int }{
			{f.Items, f.Bytes - 1}, {f.Items, f.Bytes + 1}, {f.Items, 0}, {0, f.Bytes}, {f.Items, 2 * f.Bytes},
		} {
			if Decode(make([]float32, n.items), typ, make([]byte, n.bytes)) == nil {
				t.Errorf("%v: %d bytes decode to %d values", typ, n.bytes, n.items)
			}
			if typ.CanEncode() && Encode(make([]byte, n.bytes), typ, make([]float32, n.items)) == nil {
				t.Errorf("%v: %d values encode to %d bytes", typ, n.items, n.bytes)
			}
		}
		if f.Items > 1 && Decode(make([]float32, f.Items-1), typ, make([]byte, f.Bytes)) == nil {
			t.Errorf("%v: decodes to part of a block", typ)
		}
		if err := Decode(nil, typ, nil); err != nil {
			t.Errorf("%v: no blocks: %v", typ, err)
		}
	}
}

// roundTrip encodes and decodes x, between guard values.
func roundTrip(t *testing.T, typ Type, x []float32) (encoded []byte, decoded []float32) {
	t.Helper()
	size, err := typ.RowBytes(len(x))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size+2)
	b[0], b[size+1] = 0xa5, 0x5a
	if err := Encode(b[1:size+1], typ, x); err != nil {
		t.Fatal(err)
	}
	if b[0] != 0xa5 || b[size+1] != 0x5a {
		t.Fatalf("%v: Encode wrote outside its destination", typ)
	}
	y := make([]float32, len(x))
	if err := Decode(y, typ, b[1:size+1]); err != nil {
		t.Fatal(err)
	}
	return b[1 : size+1], y
}

func TestEncodeIsAsGoodAsReference(t *testing.T) {
	source, refs := references(t)
	for _, r := range refs {
		if !r.Type.CanEncode() {
			continue
		}
		_, got := roundTrip(t, r.Type, source)
		ratio := 1.0
		if r.RMSE > 0 {
			ratio = rmse(source, got) / r.RMSE
		}
		t.Logf("%-5v rmse %.6f, %.4f of the reference quantiser's", r.Type, rmse(source, got), ratio)
		if r.RMSE == 0 && rmse(source, got) != 0 || ratio > 1.0001 {
			t.Errorf("%v: rmse %v, the reference quantiser's is %v", r.Type, rmse(source, got), r.RMSE)
		}
	}
}

// TestEncodeDegenerate holds encoders to values that need no rounding, or that
// leave no scale to choose.
func TestEncodeDegenerate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	cases := map[string]func(i int) float32{
		"zeros":     func(int) float32 { return 0 },
		"ones":      func(int) float32 { return 1 },
		"negative":  func(int) float32 { return -2 },
		"limits":    func(i int) float32 { return float32(1-i%2*2) * maxHalf },
		"tiny":      func(int) float32 { return float32(rng.NormFloat64()) * 1e-30 },
		"subnormal": func(int) float32 { return float32(rng.NormFloat64()) * 1e-42 },
		"one spike": func(i int) float32 {
			if i == 100 {
				return -3
			}
			return 0
		},
		"offset": func(i int) float32 { return 100 + float32(rng.NormFloat64()) },
	}
	for name, value := range cases {
		x := make([]float32, 512)
		var top float64
		for i := range x {
			x[i] = value(i)
			top = max(top, math.Abs(float64(x[i])))
		}
		for _, typ := range Types() {
			if !typ.CanEncode() {
				continue
			}
			_, y := roundTrip(t, typ, x)
			for i := range y {
				// Q4_0 is the coarsest: levels are top/8 apart, and one side
				// has no eighth. Half precision drops what is below 2^-25.
				if e := math.Abs(float64(y[i]) - float64(x[i])); !(e <= top/8*1.01+32*0x1p-25) {
					t.Fatalf("%v of %s: value %d is %v, want %v", typ, name, i, y[i], x[i])
				}
			}
		}
	}
}

// TestEncodeKeepsWhatItCanHold: encoding what was decoded changes nothing.
func TestEncodeKeepsWhatItCanHold(t *testing.T) {
	source, _ := references(t)
	for _, typ := range []Type{F32, F16, BF16, Q8_0} {
		_, once := roundTrip(t, typ, source)
		_, twice := roundTrip(t, typ, once)
		if i := firstDifference(once, twice); i >= 0 {
			t.Errorf("%v: value %d went from %v to %v", typ, i, once[i], twice[i])
		}
	}
}

// TestEncodeIsPortable: the encoding of a model does not depend on the machine,
// fused multiply-add or not. A better encoder changes the hash.
func TestEncodeIsPortable(t *testing.T) {
	source, _ := references(t)
	h := sha256.New()
	for _, typ := range Types() {
		if typ.CanEncode() {
			b, _ := roundTrip(t, typ, source)
			h.Write(b)
		}
	}
	const want = "e081b898f5fc4d173220369c69702adedfa151a77d9705f0e4f8883431073d76"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("the hash of all encodings is %s, want %s", got, want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, typ := range Types() {
		f, _ := typ.Format()
		x, b := make([]float32, f.Items), make([]byte, f.Bytes)
		if !typ.CanEncode() {
			if err := Encode(b, typ, x); err == nil || !strings.Contains(err.Error(), typ.String()) {
				t.Errorf("%v has no encoder, yet Encode says %v", typ, err)
			}
			continue
		}
		for _, bad := range []float32{nan, inf, -inf, math.MaxFloat32, 65536} {
			x[len(x)-1] = bad
			err := Encode(b, typ, x)
			switch holds := typ == F32 || typ == BF16 && bad == 65536; {
			case holds && err != nil:
				t.Error(err)
			case !holds && (err == nil || !strings.Contains(err.Error(), fmt.Sprint("position ", len(x)-1))):
				t.Errorf("%v of %v: %v, want an error with the position", typ, bad, err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	_, refs := references(f)
	for _, r := range refs {
		f.Add(uint32(r.Type), r.encoded)
	}
	f.Add(uint32(99), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, id uint32, b []byte) {
		typ := Type(id)
		format, ok := typ.Format()
		if !ok {
			if Decode(make([]float32, 1), typ, b) == nil {
				t.Fatalf("%v decodes", typ)
			}
			return
		}
		blocks := len(b) / format.Bytes
		x := make([]float32, blocks*format.Items)
		if err := Decode(x, typ, b[:blocks*format.Bytes]); err != nil {
			t.Fatal(err)
		}
		if len(b)%format.Bytes != 0 && Decode(x, typ, b) == nil {
			t.Fatalf("%v: %d bytes are %d blocks", typ, len(b), blocks)
		}
		if !typ.CanEncode() || typ == F32 {
			return
		}
		// What came out goes in again unless it is not finite.
		again := make([]byte, blocks*format.Bytes)
		if err := Encode(again, typ, x); err != nil {
			c := typ.lookup()
			if !slices.ContainsFunc(x, func(v float32) bool { return !(-c.limit <= v && v <= c.limit) }) {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	_, refs := references(b)
	for _, r := range refs {
		b.Run(r.Type.String(), func(b *testing.B) {
			src := slices.Repeat(r.encoded, 64)
			dst := make([]float32, 64*len(r.decoded))
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				if err := Decode(dst, r.Type, src); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(dst))*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gvalues/s")
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	source, refs := references(b)
	for _, r := range refs {
		if !r.Type.CanEncode() {
			continue
		}
		b.Run(r.Type.String(), func(b *testing.B) {
			dst := make([]byte, len(r.encoded))
			b.SetBytes(int64(4 * len(source)))
			for b.Loop() {
				if err := Encode(dst, r.Type, source); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(source))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mvalues/s")
		})
	}
}
