package quant

// A Layout says where a block keeps what its values are made of, for types whose
// values are linear in an integer, the quant:
//
//	x[i] = scale[s]*q[i] + min[s]    s = i/Group
//
// The kernels of package ops and their definitions read blocks by it. Types
// without one are decoded.
type Layout struct {
	// Group is how many values share a scale and a min, 16 or 32: less than in
	// the block's own words where more than 32 do.
	Group int
	// D is the block's scale, or a factor of the groups' scales: 16 bits in half
	// precision, or 8 bits in E8M0, halved.
	D Field
	M Field // of the block, in half precision: its min, or a factor of the groups' mins
	// Scales are those of the groups, as multiples of D; without a D they are numbers
	// in UE4M3, halved.
	Scales Ints
	Mins   Ints // of the groups, as multiples of -M
	// ScaleMin has, in 12 bytes, six bits each for the scales, times D, and the
	// mins, times -M, of eight groups (ggml's get_scale_min_k4).
	ScaleMin Field
	Quants   Ints
	// Levels are the quants of types that store which of a few they are.
	Levels []int8
	// Coding tells how the quants are stored if Quants is absent.
	Coding Coding
	// Codebook says what the block has instead of Scales and Quants. Of Quants,
	// it leaves the number of bits that hold a quant and its zero point, and D
	// is absent if its bits lie apart.
	Codebook *Codebook
}

// Coding is a way to store the quants of a block other than as an array of integers.
type Coding uint8

// The ways to store quants.
const (
	Integers Coding = iota // an array of integers
	Ternary                // digits in base 3, as TQ1_0 has them
)

// Ints is an array of small integers, in one field of the block or in two.
type Ints struct {
	Low, High Field // the low bits, and those above them
	Zero      int   // is subtracted: the zero point
}

// A Field is a part of a block: an array of integers of Bits bits. It is cut into
// runs of Run bytes. Integer i of a run has the bits from Shift+Bits*(i/Run) on of
// byte i%Run. Integers of 8 bits are signed, shorter ones are not. The zero
// Field is absent.
type Field struct {
	At    int // its first byte
	Bits  int
	Run   int
	Shift int // of bits below the first integer
}

func f16(at int) Field { return Field{at, 16, 2, 0} }

// Layout returns the layout of t, false if it has none.
func (t Type) Layout() (Layout, bool) {
	if c := t.lookup(); c != nil && c.layout != nil {
		return *c.layout, true
	}
	return Layout{}, false
}

// Bits returns the bits of an integer.
func (n *Ints) Bits() int { return n.Low.Bits + n.High.Bits }

// HasMin reports whether groups have a min. Without one, it counts as 0.
func (l *Layout) HasMin() bool { return l.M.Bits > 0 }

// Unpack takes a block apart: q gets its quants, one for each value and less
// their zero point; scale and min get those of its groups, min 0 if there is
// none.
func (l *Layout) Unpack(q []int8, scale, min []float32, block []byte) {
	if l.Codebook != nil {
		clear(min[:len(q)/l.Group])
		l.Codebook.unpack(q, scale[:len(q)/l.Group], block)
		return
	}
	switch l.Coding {
	case Integers:
		l.Quants.unpack(q, block)
	case Ternary:
		ternaryQuants(q, block)
	}
	if l.Levels != nil {
		for i, v := range q {
			q[i] = l.Levels[v]
		}
	}
	groups := len(q) / l.Group
	scale, min = scale[:groups], min[:groups]
	d, m := l.factors(block)
	var sc, mn [16]int8
	switch {
	case l.ScaleMin.Bits > 0:
		for s := range scale {
			sc, mn := scaleMin(block[l.ScaleMin.At:][:12], s)
			scale[s], min[s] = d*sc, -(m * mn)
		}
	case l.Scales.Bits() > 0 && l.D.Bits == 0:
		for s := range scale {
			scale[s], min[s] = ue4m3(block[l.Scales.Low.At+s])/2, 0
		}
	case l.Scales.Bits() > 0:
		l.Scales.unpack(sc[:groups], block)
		if l.Mins.Bits() > 0 {
			l.Mins.unpack(mn[:groups], block)
		}
		for s := range scale {
			scale[s], min[s] = d*float32(sc[s]), m
			if l.Mins.Bits() > 0 {
				min[s] = -(m * float32(mn[s]))
			}
		}
	default:
		for s := range scale {
			scale[s], min[s] = d, m
		}
	}
}

// factors returns D and M of a block, 0 for what is absent.
func (l *Layout) factors(block []byte) (d, m float32) {
	switch l.D.Bits {
	case 16:
		d = half(block[l.D.At:])
	case 8:
		d = halfE8M0(block[l.D.At])
	}
	if l.HasMin() {
		m = half(block[l.M.At:])
	}
	return d, m
}

// unpack sets dst to the integers.
func (n *Ints) unpack(dst []int8, block []byte) {
	for i := range dst {
		dst[i] = int8(-n.Zero)
	}
	n.Low.add(dst, block, 0)
	if n.High.Bits > 0 {
		n.High.add(dst, block, n.Low.Bits)
	}
}

// add adds the integers, shifted left, to dst.
func (f Field) add(dst []int8, block []byte, shift int) {
	mask := byte(1<<f.Bits - 1)
	for b := block[f.At:]; len(dst) > 0; b = b[f.Run:] {
		for bit := f.Shift; bit < 8 && len(dst) > 0; bit += f.Bits {
			to := dst[:min(f.Run, len(dst))]
			for i, v := range b[:len(to)] {
				to[i] += int8(v >> bit & mask << shift)
			}
			dst = dst[len(to):]
		}
	}
}
