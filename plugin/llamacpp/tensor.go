package llamacpp

import (
	"fmt"
	"math"
	"unsafe"
)

// A tensor is the part of struct ggml_tensor that is read here. The layout is
// that of 64-bit machines since 2023; check holds it against what the library's
// functions say.
type tensor struct {
	typ    int32
	_      int32
	buffer uintptr
	ne     [4]int64  // elements of each dimension
	nb     [4]uint64 // bytes from one to the next
	op     int32
	params [16]int32
	flags  int32
	src    [10]*tensor
	view   *tensor
	offset uint64
	data   unsafe.Pointer
	name   [64]byte
}

// check returns an error if the library lays tensors out in another way.
func (l *Library) check(t *tensor) error {
	n := t.ne[0] * t.ne[1] * t.ne[2] * t.ne[3]
	if n != l.elements(t) || t.data != l.data(t) || t.op < 0 || t.op > 256 {
		return fmt.Errorf("this llama.cpp lays out its tensors in another way")
	}
	if t.op == l.op.norm || t.op == l.op.rmsNorm {
		if name := l.opName(t.op); name != l.opDesc(t) {
			return fmt.Errorf("this llama.cpp lays out its tensors in another way: %s is %s", l.opDesc(t), name)
		}
	}
	return nil
}

func (t *tensor) String() string { return cString(&t.name[0]) }

// eps is the first parameter of a norm.
func (t *tensor) eps() float32 { return math.Float32frombits(uint32(t.params[0])) }

func (t *tensor) elements() int { return int(t.ne[0] * t.ne[1] * t.ne[2] * t.ne[3]) }

// read appends the elements of a float32 tensor to dst, in order, whatever its
// strides.
func (l *Library) read(dst []float32, t *tensor) ([]float32, error) {
	if t.typ != typeF32 || t.nb[0] != 4 {
		return dst, fmt.Errorf("the tensor %s is no float32 in rows", t)
	}
	n := t.elements()
	if n == 0 {
		return dst, nil
	}
	first := len(dst)
	dst = append(dst, make([]float32, n)...)
	width := int(t.ne[0])
	if row := uint64(4 * width); t.nb[1] == row && t.nb[2] == row*uint64(t.ne[1]) && t.nb[3] == t.nb[2]*uint64(t.ne[2]) {
		l.tensorGet(t, unsafe.Pointer(&dst[first]), 0, uintptr(4*n))
		return dst, nil
	}
	for i3 := range t.ne[3] {
		for i2 := range t.ne[2] {
			for i1 := range t.ne[1] {
				at := uint64(i1)*t.nb[1] + uint64(i2)*t.nb[2] + uint64(i3)*t.nb[3]
				l.tensorGet(t, unsafe.Pointer(&dst[first]), uintptr(at), uintptr(4*width))
				first += width
			}
		}
	}
	return dst, nil
}
