package hf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// A pickle is a program on its way (PEP 307; Lib/pickletools.py describes each
// instruction).
type pickle struct {
	code    []byte
	at      int
	stack   []any
	memo    map[int]any
	storage map[string][]byte
}

type (
	mark    struct{}
	global  string // "module name"
	tuple   []any
	dict    struct{ m map[any]any }
	list    struct{ items []any }
	storage struct {
		dtype string
		data  []byte
	}
)

var errCut = errors.New("it ends within an instruction")

func (p *pickle) take(n int) ([]byte, error) {
	if n < 0 || n > len(p.code)-p.at {
		return nil, errCut
	}
	b := p.code[p.at : p.at+n]
	p.at += n
	return b, nil
}

func (p *pickle) push(v any) { p.stack = append(p.stack, v) }

func (p *pickle) pop() (any, error) {
	if len(p.stack) == 0 {
		return nil, errors.New("its stack is empty")
	}
	v := p.stack[len(p.stack)-1]
	p.stack = p.stack[:len(p.stack)-1]
	return v, nil
}

// popMark returns what was pushed since the last mark.
func (p *pickle) popMark() ([]any, error) {
	for i := len(p.stack) - 1; i >= 0; i-- {
		if _, ok := p.stack[i].(mark); ok {
			items := append([]any(nil), p.stack[i+1:]...)
			p.stack = p.stack[:i]
			return items, nil
		}
	}
	return nil, errors.New("a mark is missing")
}

func (p *pickle) line() (string, error) {
	n := bytes.IndexByte(p.code[p.at:], '\n')
	b, err := p.take(n + 1)
	if err != nil || n < 0 {
		return "", errCut
	}
	return string(b[:n]), nil
}

func (p *pickle) run() (any, error) {
	for {
		op, err := p.take(1)
		if err != nil {
			return nil, err
		}
		if op[0] == '.' {
			return p.pop()
		}
		if err := p.step(op[0]); err != nil {
			return nil, err
		}
	}
}

// operands are the lengths of the operands of fixed length.
var operands = map[byte]int{0x80: 1, 'q': 1, 'r': 4, 'h': 1, 'j': 4, 'K': 1, 'M': 2, 'J': 4, 'G': 8, 0x95: 8, 'X': 4, 0x8c: 1, 0x8a: 1, 'U': 1}

func (p *pickle) step(op byte) error {
	operand, err := p.take(operands[op])
	if err != nil {
		return err
	}
	var n int
	if len(operand) <= 4 {
		var b [4]byte
		copy(b[:], operand)
		n = int(binary.LittleEndian.Uint32(b[:]))
	}
	switch op {
	case 0x80, 0x95: // protocol, frame
	case '}':
		p.push(&dict{map[any]any{}})
	case ']':
		p.push(&list{})
	case ')':
		p.push(tuple{})
	case '(':
		p.push(mark{})
	case 'N':
		p.push(nil)
	case 0x88:
		p.push(true)
	case 0x89:
		p.push(false)
	case 'K', 'M':
		p.push(n)
	case 'J':
		p.push(int(int32(n)))
	case 'G':
		p.push(math.Float64frombits(binary.BigEndian.Uint64(operand)))
	case 0x8a:
		b, err := p.take(n)
		if err != nil || n > 8 {
			return errors.New("it has a long integer")
		}
		var v uint64
		for i, c := range b {
			v |= uint64(c) << (8 * i)
		}
		if n > 0 && n < 8 && b[n-1] >= 0x80 {
			v |= ^uint64(0) << (8 * n)
		}
		p.push(int(int64(v)))
	case 'X', 0x8c, 'U':
		b, err := p.take(n)
		if err != nil {
			return err
		}
		p.push(string(b))
	case 'c':
		module, err := p.line()
		if err != nil {
			return err
		}
		name, err := p.line()
		if err != nil {
			return err
		}
		p.push(global(module + " " + name))
	case 'q', 'r':
		if len(p.stack) == 0 {
			return errors.New("its stack is empty")
		}
		p.memo[n] = p.stack[len(p.stack)-1]
	case 0x94:
		if len(p.stack) == 0 {
			return errors.New("its stack is empty")
		}
		p.memo[len(p.memo)] = p.stack[len(p.stack)-1]
	case 'h', 'j':
		v, ok := p.memo[n]
		if !ok {
			return fmt.Errorf("it has no memo %d", n)
		}
		p.push(v)
	case 't':
		items, err := p.popMark()
		if err != nil {
			return err
		}
		p.push(tuple(items))
	case 0x85, 0x86, 0x87:
		items := make(tuple, op-0x84)
		for i := len(items) - 1; i >= 0; i-- {
			if items[i], err = p.pop(); err != nil {
				return err
			}
		}
		p.push(items)
	case 'Q':
		return p.persistent()
	case 'R':
		return p.call()
	case 'b': // the state of an OrderedDict with attributes: nothing of it is read
		_, err := p.pop()
		return err
	case 's', 'u', 'e', 'a':
		return p.fill(op)
	default:
		return fmt.Errorf("instruction 0x%02x at byte %d is not one that a table of tensors needs", op, p.at)
	}
	return nil
}

// fill puts what lies on the stack into the dictionary or list below it.
func (p *pickle) fill(op byte) error {
	var items []any
	var err error
	switch op {
	case 'u', 'e':
		items, err = p.popMark()
	default:
		items = make([]any, map[byte]int{'s': 2, 'a': 1}[op])
		for i := len(items) - 1; i >= 0 && err == nil; i-- {
			items[i], err = p.pop()
		}
	}
	if err != nil {
		return err
	}
	if len(p.stack) == 0 {
		return errors.New("its stack is empty")
	}
	switch into := p.stack[len(p.stack)-1].(type) {
	case *list:
		into.items = append(into.items, items...)
	case *dict:
		if len(items)%2 != 0 {
			return errors.New("a key has no value")
		}
		for i := 0; i < len(items); i += 2 {
			switch k := items[i].(type) {
			case string, int:
				into.m[k] = items[i+1]
			default:
				return fmt.Errorf("a key is a %T", k)
			}
		}
	default:
		return fmt.Errorf("it adds entries to a %T", into)
	}
	return nil
}

// persistent turns ("storage", class, key, device, items) into a storage.
func (p *pickle) persistent() error {
	top, err := p.pop()
	if err != nil {
		return err
	}
	id, ok := top.(tuple)
	if !ok || len(id) != 5 || id[0] != "storage" {
		return errors.New("a persistent id is no storage")
	}
	class, _ := id[1].(global)
	key, _ := id[2].(string)
	dtype, ok := storages[strings.TrimPrefix(string(class), "torch ")]
	if !ok {
		return fmt.Errorf("the storage %.80q is of an unknown class", string(class))
	}
	data, ok := p.storage[key]
	if !ok {
		return fmt.Errorf("the storage %.80q is not in the archive", key)
	}
	p.push(storage{dtype, data})
	return nil
}

// call carries out the three calls that there are.
func (p *pickle) call() error {
	args, err := p.pop()
	if err != nil {
		return err
	}
	f, err := p.pop()
	if err != nil {
		return err
	}
	a, ok := args.(tuple)
	if !ok {
		return errors.New("a call has no arguments")
	}
	switch f {
	case global("collections OrderedDict"):
		if len(a) != 0 {
			return errors.New("an OrderedDict has arguments")
		}
		p.push(&dict{map[any]any{}})
		return nil
	case global("torch._utils _rebuild_parameter"):
		if len(a) == 0 {
			return errors.New("a parameter has no tensor")
		}
		p.push(a[0])
		return nil
	case global("torch._utils _rebuild_tensor_v2"):
		v, err := rebuild(a)
		p.push(v)
		return err
	}
	return fmt.Errorf("it wants to call %.80q, which no table of tensors needs", fmt.Sprint(f))
}

// rebuild makes the tensor of (storage, offset, size, stride, ...).
func rebuild(a tuple) (value, error) {
	if len(a) < 4 {
		return value{}, errors.New("a tensor has too few arguments")
	}
	s, ok1 := a[0].(storage)
	offset, ok2 := a[1].(int)
	size, ok3 := a[2].(tuple)
	stride, ok4 := a[3].(tuple)
	if !ok1 || !ok2 || !ok3 || !ok4 || len(size) != len(stride) {
		return value{}, errors.New("a tensor has arguments of other types")
	}
	width := storageSizes[s.dtype]
	room := len(s.data) / width
	shape, items := make([]int, len(size)), 1
	for i := len(size) - 1; i >= 0; i-- {
		n, ok := size[i].(int)
		if !ok || n < 0 || n != 0 && items > room/n {
			return value{}, fmt.Errorf("a tensor of size %v does not fit its storage of %d numbers", size, room)
		}
		if n > 1 && stride[i] != items {
			return value{}, fmt.Errorf("a tensor of size %v has strides %v: it is not stored in one piece", size, stride)
		}
		shape[i] = n
		items *= n
	}
	if offset < 0 || offset > room-items {
		return value{}, fmt.Errorf("a tensor of size %v at %d lies beyond its storage of %d numbers", size, offset, room)
	}
	return value{s.dtype, shape, s.data[offset*width : (offset+items)*width : (offset+items)*width]}, nil
}
