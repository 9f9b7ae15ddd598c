package gguf

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// The kinds of values, as files number them.
const (
	kindUint8   = 0
	kindInt8    = 1
	kindUint16  = 2
	kindInt16   = 3
	kindUint32  = 4
	kindInt32   = 5
	kindFloat32 = 6
	kindBool    = 7
	kindString  = 8
	kindArray   = 9
	kindUint64  = 10
	kindInt64   = 11
	kindFloat64 = 12
)

var kinds = map[reflect.Kind]uint32{
	reflect.Uint8: kindUint8, reflect.Int8: kindInt8, reflect.Uint16: kindUint16, reflect.Int16: kindInt16,
	reflect.Uint32: kindUint32, reflect.Int32: kindInt32, reflect.Uint64: kindUint64, reflect.Int64: kindInt64,
	reflect.Float32: kindFloat32, reflect.Float64: kindFloat64, reflect.Bool: kindBool, reflect.String: kindString,
}

// kindOf returns the kind of a value, of its elements if it is a slice, and
// false if it is nothing that a file can hold.
func kindOf(v any) (kind uint32, array, ok bool) {
	t := reflect.TypeOf(v)
	if t == nil {
		return 0, false, false
	}
	if t.Kind() == reflect.Slice && t.Name() == "" {
		t, array = t.Elem(), true
	}
	kind, ok = kinds[t.Kind()]
	return kind, array, ok && t.PkgPath() == "" // no named types: Get would not know them
}

// value reads the kind and the value of a pair.
func (r *reader) value() any {
	off := r.off
	kind, n := r.uint32("the kind of the value"), size(1)
	array := kind == kindArray
	if array {
		off = r.off
		kind, n = r.uint32("the kind of the elements"), size(r.uint64("the length of the array"))
	}
	if r.err != nil {
		return nil
	}
	switch kind {
	case kindUint8:
		return fixed[uint8](r, n, array)
	case kindInt8:
		return fixed[int8](r, n, array)
	case kindUint16:
		return fixed[uint16](r, n, array)
	case kindInt16:
		return fixed[int16](r, n, array)
	case kindUint32:
		return fixed[uint32](r, n, array)
	case kindInt32:
		return fixed[int32](r, n, array)
	case kindUint64:
		return fixed[uint64](r, n, array)
	case kindInt64:
		return fixed[int64](r, n, array)
	case kindFloat32:
		return fixed[float32](r, n, array)
	case kindFloat64:
		return fixed[float64](r, n, array)
	case kindBool:
		return r.bools(n, array)
	case kindString:
		return r.strings(n, array)
	case kindArray:
		r.fail(off, "array of arrays", nil)
	default:
		r.fail(off, "unknown kind of value", kind)
	}
	return nil
}

// fixed reads n values of a size that is always the same.
func fixed[T uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64](r *reader, n size, array bool) any {
	var one T
	b := r.take(n.times(size(binary.Size(one))), "the value")
	if r.err != nil {
		return nil
	}
	all := make([]T, n)
	if _, err := binary.Decode(b, binary.LittleEndian, all); err != nil {
		r.fail(r.off, err.Error(), nil) // cannot happen: the lengths agree
	}
	if array {
		return all
	}
	return all[0]
}

func (r *reader) bools(n size, array bool) any {
	off := r.off
	b := r.take(n, "the value")
	all := make([]bool, len(b))
	for i, v := range b {
		if v > 1 {
			r.fail(off+i, "a bool is not 0 or 1", v)
		}
		all[i] = v == 1
	}
	if array || r.err != nil {
		return all
	}
	return all[0]
}

// strings reads n strings. They share one allocation, lengths and all, so that
// a vocabulary of 256k pieces costs two.
func (r *reader) strings(n size, array bool) any {
	if n.times(8) > r.left() {
		r.fail(r.off, "more strings than the file has room for", uint64(n))
		return nil
	}
	start := r.off
	for range n {
		if r.take(size(r.uint64("the length of a string")), "a string"); r.err != nil {
			return nil
		}
	}
	text := string(r.data[start:r.off])
	all := make([]string, n)
	at := 0
	for i := range all {
		length := int(binary.LittleEndian.Uint64(r.data[start+at:]))
		all[i] = text[at+8 : at+8+length]
		at += 8 + length
	}
	if array {
		return all
	}
	return all[0]
}

// appendValue appends the kind and the value of a pair as value reads them.
func appendValue(b []byte, v any) ([]byte, error) {
	kind, array, ok := kindOf(v)
	if !ok {
		return nil, fmt.Errorf("cannot hold a %T", v)
	}
	if array {
		b = binary.LittleEndian.AppendUint32(b, kindArray)
	}
	b = binary.LittleEndian.AppendUint32(b, kind)
	if array {
		b = binary.LittleEndian.AppendUint64(b, uint64(reflect.ValueOf(v).Len()))
	}
	switch v := v.(type) {
	case string:
		return appendString(b, v), nil
	case []string:
		for _, s := range v {
			b = appendString(b, s)
		}
		return b, nil
	}
	return binary.Append(b, binary.LittleEndian, v)
}

func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}
