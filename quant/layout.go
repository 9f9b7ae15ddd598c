package quant

// A Layout says where a block keeps what its values are made of, for types whose
// values are linear in an integer, the quant:
//
//	x[i] = scale[s]*q[i] + min[s]    s = i/Group
//
// The kernels of package ops and their definitions read blocks by it. Types
// without one are decoded.
type Layout struct {
	Group  int   // values that share a scale and a min
	D      Field // of the block, in half precision: its scale, or a factor of the groups' scales
	M      Field // of the block, in half precision: its min, or a factor of the groups' mins
	Scales Ints  // of the groups: their scales are these, times D
	// ScaleMin has, in 12 bytes, six bits each for the scales, times D, and the
	// mins, times -M, of eight groups (ggml's get_scale_min_k4).
	ScaleMin Field
	Quants   Ints
	// Codebook says what the block has instead of Scales and Quants. Of Quants,
	// it leaves the number of bits that hold a quant and its zero point, and D
	// is absent if its bits lie apart.
	Codebook *Codebook
}

// Ints is an array of small integers, in one field of the block or in two.
type Ints struct {
	Low, High Field // the low bits, and those above them
	Zero      int   // is subtracted: the zero point
}

// A Field is a part of a block: an array of integers of Bits bits. It is cut into
// runs of Run bytes. Integer i of a run has the bits from Bits*(i/Run) on of
// byte i%Run. Integers of 8 bits are signed, shorter ones are not. The zero
// Field is absent.
type Field struct {
	At   int // its first byte
	Bits int
	Run  int
}

func f16(at int) Field { return Field{at, 16, 2} }

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
	groups := len(q) / l.Group
	if l.Codebook != nil {
		clear(min[:groups])
		l.Codebook.unpack(q, scale[:groups], block)
		return
	}
	l.Quants.unpack(q, block)
	d, m := half(block[l.D.At:]), float32(0)
	if l.HasMin() {
		m = half(block[l.M.At:])
	}
	switch scale, min := scale[:groups], min[:groups]; {
	case l.ScaleMin.Bits > 0:
		for s := range scale {
			sc, mn := scaleMin(block[l.ScaleMin.At:][:12], s)
			scale[s], min[s] = d*sc, -(m * mn)
		}
	case l.Scales.Bits() > 0:
		var sc [16]int8
		l.Scales.unpack(sc[:groups], block)
		for s := range scale {
			scale[s], min[s] = d*float32(sc[s]), m
		}
	default:
		scale[0], min[0] = d, m
	}
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
		for bit := 0; bit < 8 && len(dst) > 0; bit += f.Bits {
			to := dst[:f.Run]
			for i, v := range b[:len(to)] {
				to[i] += int8(v >> bit & mask << shift)
			}
			dst = dst[len(to):]
		}
	}
}
