package gguf

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestSetAndDelete(t *testing.T) {
	var m Meta
	for _, kv := range []KV{{"a", uint8(1)}, {"b", "x"}, {"c", []float64{1}}, {"a", int64(2)}, {"d", []string{}}} {
		if err := m.Set(kv.Key, kv.Value); err != nil {
			t.Fatal(err)
		}
	}
	m.Delete("b")
	m.Delete("nothing")
	want := []KV{{"a", int64(2)}, {"c", []float64{1}}, {"d", []string{}}}
	if got := m.All(); !reflect.DeepEqual(got, want) || m.Len() != 3 {
		t.Errorf("pairs are %v, want %v", got, want)
	}
	for _, kv := range want {
		if v, ok := m.Lookup(kv.Key); !ok || !reflect.DeepEqual(v, kv.Value) {
			t.Errorf("Lookup(%q) = %v, %v", kv.Key, v, ok)
		}
	}
	if v, ok := m.Lookup("b"); ok {
		t.Errorf("the deleted key has the value %v", v)
	}
	c := m.Clone()
	c.Delete("a")
	if _, ok := m.Lookup("a"); !ok {
		t.Error("a change to the clone changed the original")
	}

	type named string
	type names []string
	for _, v := range []any{nil, 1, uint(1), uintptr(1), complex64(1), []int{1}, [][]string{}, []any{}, [2]uint8{}, named("x"), names{}, []named{}, struct{}{}, &m} {
		if err := m.Set("k", v); err == nil {
			t.Errorf("Set took a %T", v)
		}
	}
	for _, key := range []string{"", strings.Repeat("k", 1<<16)} {
		if err := m.Set(key, "x"); err == nil {
			t.Errorf("Set took a key of %d bytes", len(key))
		}
	}
}

func TestGet(t *testing.T) {
	var m Meta
	pairs := []KV{
		{"u8", uint8(200)}, {"i8", int8(-3)}, {"u16", uint16(40000)}, {"i16", int16(-300)},
		{"u32", uint32(math.MaxUint32)}, {"i32", int32(-70000)}, {"u64", uint64(math.MaxUint64)}, {"i64", int64(math.MinInt64)},
		{"f32", float32(0.5)}, {"f64", 0.25}, {"huge", 1e300}, {"inf", math.Inf(-1)}, {"bool", true}, {"string", "x"},
		{"i32s", []int32{1, -2}}, {"u8s", []uint8{1, 255}}, {"u64s", []uint64{1, 1 << 40}}, {"f64s", []float64{1, 0.5}},
		{"f32s", []float32{2}}, {"hugeS", []float64{0, 1e300}}, {"bools", []bool{true, false}}, {"strings", []string{"a", "b"}},
	}
	for _, kv := range pairs {
		if err := m.Set(kv.Key, kv.Value); err != nil {
			t.Fatal(err)
		}
	}
	check(t, &m, "u8", 200)
	check(t, &m, "i8", -3)
	check(t, &m, "u16", uint32(40000))
	check(t, &m, "i16", int64(-300))
	check(t, &m, "u32", math.MaxUint32)
	check(t, &m, "i32", int32(-70000))
	check(t, &m, "u64", uint64(math.MaxUint64))
	check(t, &m, "i64", math.MinInt64)
	check(t, &m, "f32", float32(0.5))
	check(t, &m, "f32", 0.5)
	check(t, &m, "f64", float32(0.25))
	check(t, &m, "inf", float32(math.Inf(-1)))
	check(t, &m, "bool", true)
	check(t, &m, "string", "x")
	check(t, &m, "i32s", []int{1, -2})
	check(t, &m, "i32s", []int32{1, -2})
	check(t, &m, "u8s", []uint32{1, 255})
	check(t, &m, "u64s", []int{1, 1 << 40})
	check(t, &m, "f64s", []float32{1, 0.5})
	check(t, &m, "f32s", []float64{2})
	check(t, &m, "bools", []bool{true, false})
	check(t, &m, "strings", []string{"a", "b"})

	refuse[uint32](t, &m, "i8", "-3, out of the range of uint32")
	refuse[int](t, &m, "u64", "out of the range of int")
	refuse[int32](t, &m, "u32", "out of the range of int32")
	refuse[uint64](t, &m, "i64", "out of the range of uint64")
	refuse[float32](t, &m, "huge", "out of the range of float32")
	refuse[[]uint32](t, &m, "i32s", "at index 1 is -2, out of the range of uint32")
	refuse[[]int32](t, &m, "u64s", "at index 1")
	refuse[[]float32](t, &m, "hugeS", "at index 1")
	refuse[int](t, &m, "string", "is a string, want an integer")
	refuse[int](t, &m, "f32", "is a float, want an integer")
	refuse[int](t, &m, "bool", "is a bool, want an integer")
	refuse[int](t, &m, "i32s", "is an array of integers, want an integer")
	refuse[float32](t, &m, "u8", "is an integer, want a float")
	refuse[bool](t, &m, "u8", "is an integer, want a bool")
	refuse[string](t, &m, "strings", "is an array of strings, want a string")
	refuse[[]string](t, &m, "string", "is a string, want an array of strings")
	refuse[[]int](t, &m, "u8", "is an integer, want an array of integers")
	refuse[[]float32](t, &m, "i32s", "is an array of integers, want an array of floats")
	refuse[[]bool](t, &m, "u8s", "is an array of integers, want an array of bools")
	refuse[int](t, &m, "nothing", "is missing")

	if _, err := Get[int](&m, "nothing"); !errors.Is(err, ErrMissing) {
		t.Errorf("%v is not ErrMissing", err)
	}
	if _, err := Get[int](&m, "string"); errors.Is(err, ErrMissing) {
		t.Errorf("%v is ErrMissing", err)
	}
	if got, err := GetOr(&m, "nothing", 7); got != 7 || err != nil {
		t.Errorf("GetOr of a missing key = %v, %v", got, err)
	}
	if got, err := GetOr(&m, "u8", 7); got != 200 || err != nil {
		t.Errorf("GetOr = %v, %v, want 200", got, err)
	}
	if got, err := GetOr(&m, "string", 7); got != 0 || err == nil {
		t.Errorf("GetOr of a string = %v, %v", got, err)
	}
}

func check[T Value](t *testing.T, m *Meta, key string, want T) {
	t.Helper()
	if got, err := Get[T](m, key); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Get[%T](%q) = %v, %v, want %v", want, key, got, err, want)
	}
}

func refuse[T Value](t *testing.T, m *Meta, key, want string) {
	t.Helper()
	got, err := Get[T](m, key)
	if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `gguf: key "`+key+`" `) {
		t.Errorf("Get[%T](%q) = %v, %v, want %q", got, key, got, err, want)
	}
	if !reflect.ValueOf(&got).Elem().IsZero() {
		t.Errorf("Get[%T](%q) = %v besides its error", got, key, got)
	}
}
