package gguf

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// A KV is a key and its value, which is a uint8, int8, uint16, int16, uint32,
// int32, uint64, int64, float32, float64, bool or string, or a slice of one of
// these.
type KV struct {
	Key   string
	Value any
}

// Meta is the metadata of a file, in its order. The zero Meta is empty.
type Meta struct {
	pairs []KV
	byKey map[string]int
}

// ErrMissing is wrapped by errors about a key that is not there.
var ErrMissing = errors.New("is missing")

// All returns the pairs in the order of the file. The slice is the caller's,
// slices within it are not.
func (m *Meta) All() []KV { return slices.Clone(m.pairs) }

// Len returns the number of pairs.
func (m *Meta) Len() int { return len(m.pairs) }

// Lookup returns the value of key as it is stored.
func (m *Meta) Lookup(key string) (any, bool) {
	if i, ok := m.byKey[key]; ok {
		return m.pairs[i].Value, true
	}
	return nil, false
}

// Set replaces the value of key, or appends the pair. The value is one that
// [KV] lists; a slice is not copied.
func (m *Meta) Set(key string, value any) error {
	if len(key) == 0 || len(key) > maxKey {
		return fmt.Errorf("gguf: a key has 1 to %d bytes, not %d", maxKey, len(key))
	}
	if _, _, ok := kindOf(value); !ok {
		return fmt.Errorf("gguf: key %q: cannot hold a %T", key, value)
	}
	if i, ok := m.byKey[key]; ok {
		m.pairs[i].Value = value
		return nil
	}
	m.add(key, value)
	return nil
}

// Delete removes key, if it is there.
func (m *Meta) Delete(key string) {
	i, ok := m.byKey[key]
	if !ok {
		return
	}
	m.pairs = slices.Delete(m.pairs, i, i+1)
	delete(m.byKey, key)
	for ; i < len(m.pairs); i++ {
		m.byKey[m.pairs[i].Key] = i
	}
}

// Clone returns a copy that can be changed on its own, except for the contents
// of slices.
func (m *Meta) Clone() Meta {
	var c Meta
	for _, kv := range m.pairs {
		c.add(kv.Key, kv.Value)
	}
	return c
}

// add appends a pair with a new key.
func (m *Meta) add(key string, value any) {
	if m.byKey == nil {
		m.byKey = make(map[string]int)
	}
	m.byKey[key] = len(m.pairs)
	m.pairs = append(m.pairs, KV{key, value})
}

// A Value is a type that [Get] can return.
type Value interface {
	int | int32 | int64 | uint32 | uint64 | float32 | float64 | bool | string |
		[]int | []int32 | []uint32 | []float32 | []float64 | []bool | []string
}

// Get returns the value of key as a T. An integer may be stored in any width,
// if its value fits T, and a float in either precision; slices likewise. It is
// an error that names the key if it is missing (see [ErrMissing]), of another
// kind, or out of range. A slice may be that of m: do not change it.
func Get[T Value](m *Meta, key string) (T, error) {
	x, err := get[T](m, key)
	if err != nil {
		err = fmt.Errorf("gguf: %w", err)
	}
	return x, err
}

func get[T Value](m *Meta, key string) (out T, err error) {
	v, ok := m.Lookup(key)
	if !ok {
		return out, fmt.Errorf("key %q %w", key, ErrMissing)
	}
	if x, ok := v.(T); ok {
		return x, nil
	}
	switch p := any(&out).(type) {
	case *int:
		*p, err = toInteger[int](v)
	case *int32:
		*p, err = toInteger[int32](v)
	case *int64:
		*p, err = toInteger[int64](v)
	case *uint32:
		*p, err = toInteger[uint32](v)
	case *uint64:
		*p, err = toInteger[uint64](v)
	case *float32:
		*p, err = toFloat32(v)
	case *float64:
		*p, err = toFloat64(v)
	case *[]int:
		*p, err = toIntegers[int](v)
	case *[]int32:
		*p, err = toIntegers[int32](v)
	case *[]uint32:
		*p, err = toIntegers[uint32](v)
	case *[]float32:
		*p, err = toFloats(v, narrow)
	case *[]float64:
		*p, err = toFloats(v, widen)
	default:
		err = errKind
	}
	if err == errKind {
		err = fmt.Errorf("is %s, want %s", describe(v), describe(out))
	}
	if err != nil {
		var none T
		return none, fmt.Errorf("key %q %w", key, err)
	}
	return out, nil
}

// GetOr is [Get], but returns def if the key is missing. A value of another
// kind is still an error.
func GetOr[T Value](m *Meta, key string, def T) (T, error) {
	if _, ok := m.Lookup(key); !ok {
		return def, nil
	}
	return Get[T](m, key)
}

var errKind = errors.New("is of another kind")

type integer interface {
	int | uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64
}

// toInteger converts any stored integer to T, if its value fits.
func toInteger[T integer](v any) (T, error) {
	switch x := v.(type) {
	case uint8:
		return fit[T](x)
	case int8:
		return fit[T](x)
	case uint16:
		return fit[T](x)
	case int16:
		return fit[T](x)
	case uint32:
		return fit[T](x)
	case int32:
		return fit[T](x)
	case uint64:
		return fit[T](x)
	case int64:
		return fit[T](x)
	}
	return 0, errKind
}

func toIntegers[T integer](v any) ([]T, error) {
	switch x := v.(type) {
	case []uint8:
		return each(x, fit[T, uint8])
	case []int8:
		return each(x, fit[T, int8])
	case []uint16:
		return each(x, fit[T, uint16])
	case []int16:
		return each(x, fit[T, int16])
	case []uint32:
		return each(x, fit[T, uint32])
	case []int32:
		return each(x, fit[T, int32])
	case []uint64:
		return each(x, fit[T, uint64])
	case []int64:
		return each(x, fit[T, int64])
	}
	return nil, errKind
}

func fit[T, S integer](s S) (T, error) {
	t := T(s)
	if S(t) != s || t < 0 != (s < 0) {
		return 0, fmt.Errorf("is %d, out of the range of %T", s, t)
	}
	return t, nil
}

func toFloat32(v any) (float32, error) {
	if x, ok := v.(float64); ok {
		return narrow(x)
	}
	return 0, errKind
}

func toFloat64(v any) (float64, error) {
	if x, ok := v.(float32); ok {
		return widen(x)
	}
	return 0, errKind
}

// toFloats converts a slice of the other precision.
func toFloats[T, S float32 | float64](v any, convert func(S) (T, error)) ([]T, error) {
	if x, ok := v.([]S); ok {
		return each(x, convert)
	}
	return nil, errKind
}

func widen(x float32) (float64, error) { return float64(x), nil }

func narrow(x float64) (float32, error) {
	f := float32(x)
	if math.IsInf(float64(f), 0) && !math.IsInf(x, 0) {
		return 0, fmt.Errorf("is %v, out of the range of float32", x)
	}
	return f, nil
}

func each[T, S any](in []S, convert func(S) (T, error)) ([]T, error) {
	out := make([]T, len(in))
	for i, s := range in {
		t, err := convert(s)
		if err != nil {
			return nil, fmt.Errorf("at index %d %w", i, err)
		}
		out[i] = t
	}
	return out, nil
}

// describe names the sort of a value for an error.
func describe(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a bool"
	case float32, float64:
		return "a float"
	case []string:
		return "an array of strings"
	case []bool:
		return "an array of bools"
	case []float32, []float64:
		return "an array of floats"
	case int, uint8, int8, uint16, int16, uint32, int32, uint64, int64:
		return "an integer"
	}
	return "an array of integers"
}
