package hf

import (
	"fmt"
	"slices"

	"github.com/normswap/normswap/quant"
)

// types are the tensor types of the dtypes that weights have.
var types = map[string]quant.Type{"F32": quant.F32, "F16": quant.F16, "BF16": quant.BF16}

// width returns the bytes of an element.
func (v value) width() int {
	n := 1
	for _, d := range v.shape {
		n *= d
	}
	return len(v.data) / max(n, 1)
}

// floats returns the values as float32.
func (v value) floats() ([]float32, error) {
	t, ok := types[v.dtype]
	if !ok {
		return nil, fmt.Errorf("is of dtype %s; weights are F32, F16 or BF16", v.dtype)
	}
	x := make([]float32, len(v.data)/v.width())
	return x, quant.Decode(x, t, v.data)
}

// float32s makes an F32 value of numbers.
func float32s(x []float32, shape ...int) value {
	data := make([]byte, 4*len(x))
	if err := quant.Encode(data, quant.F32, x); err != nil {
		panic(err) // the lengths agree
	}
	return value{"F32", shape, data}
}

// each returns f of every number, as F32.
func (v value) each(f func(float32) float32) (value, error) {
	x, err := v.floats()
	if err != nil {
		return value{}, err
	}
	for i := range x {
		x[i] = f(x[i])
	}
	return float32s(x, v.shape...), nil
}

// transposed swaps the two dimensions of a matrix.
func (v value) transposed() (value, error) {
	if len(v.shape) == 1 {
		return v, nil
	}
	if len(v.shape) != 2 {
		return value{}, fmt.Errorf("has the shape %d, want a matrix", v.shape)
	}
	rows, cols, w := v.shape[0], v.shape[1], v.width()
	out := make([]byte, len(v.data))
	for r := range rows {
		for c := range cols {
			copy(out[(c*rows+r)*w:][:w], v.data[(r*cols+c)*w:][:w])
		}
	}
	return value{v.dtype, []int{cols, rows}, out}, nil
}

// rows takes rows (of a vector: elements) in another order: row i of the result
// is row from(i).
func (v value) rows(n int, from func(i int) int) (value, error) {
	if len(v.shape) == 0 || v.shape[0] != n {
		return value{}, fmt.Errorf("has the shape %d, want %d rows", v.shape, n)
	}
	row := len(v.data) / n
	out := make([]byte, len(v.data))
	for i := range n {
		copy(out[i*row:][:row], v.data[from(i)*row:][:row])
	}
	return value{v.dtype, v.shape, out}, nil
}

// slice returns the rows from, from+1, ... to-1: a view.
func (v value) slice(from, to int) (value, error) {
	if len(v.shape) == 0 || to > v.shape[0] || from > to {
		return value{}, fmt.Errorf("has the shape %d, want %d rows", v.shape, to)
	}
	row := len(v.data) / max(v.shape[0], 1)
	return value{v.dtype, append([]int{to - from}, v.shape[1:]...), v.data[from*row : to*row]}, nil
}

// joined puts values below one another; stack gives the result a dimension of
// its own for them.
func joined(parts []value, stack bool) (value, error) {
	first := parts[0]
	if len(parts) == 1 && !stack {
		return first, nil
	}
	out := value{dtype: first.dtype, shape: slices.Clone(first.shape)}
	if len(out.shape) == 0 {
		return value{}, fmt.Errorf("is a scalar")
	}
	out.shape[0] = 0
	for _, p := range parts {
		if p.dtype != first.dtype || len(p.shape) != len(first.shape) || !slices.Equal(p.shape[1:], first.shape[1:]) || stack && p.shape[0] != first.shape[0] {
			return value{}, fmt.Errorf("has the shape %d in %s, beside another of %d in %s", p.shape, p.dtype, first.shape, first.dtype)
		}
		out.shape[0] += p.shape[0]
		out.data = append(out.data, p.data...)
	}
	if stack {
		out.shape = append([]int{len(parts)}, first.shape...)
	}
	return out, nil
}
