package corpus

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
)

// A Format is how token ids are written. The zero value says that there are none, but
// text.
type Format string

// The formats of ids.
const (
	Int32   Format = "int32"   // little-endian
	Uint16  Format = "uint16"  // little-endian, as many a training program keeps them
	Decimal Format = "decimal" // with white space between
)

// Formats are all formats of ids.
var Formats = []Format{Int32, Uint16, Decimal}

// A list reads ids.
type list struct {
	next  func() (int64, error) // io.EOF at the end
	vocab int
	count int // ids so far
}

func newList(r io.Reader, f Format, vocab int) (*list, error) {
	l := &list{vocab: vocab}
	b := bufio.NewReaderSize(r, sample)
	binaryOf := func(size int, value func([]byte) int64) func() (int64, error) {
		buf := make([]byte, size)
		return func() (int64, error) {
			_, err := io.ReadFull(b, buf)
			if err == io.ErrUnexpectedEOF {
				err = fmt.Errorf("corpus: the list of ids ends within one, behind %d", l.count)
			}
			return value(buf), err
		}
	}
	switch f {
	case Int32:
		l.next = binaryOf(4, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) })
	case Uint16:
		l.next = binaryOf(2, func(b []byte) int64 { return int64(binary.LittleEndian.Uint16(b)) })
	case Decimal:
		words := bufio.NewScanner(b)
		words.Split(bufio.ScanWords)
		l.next = func() (int64, error) {
			if !words.Scan() {
				if err := words.Err(); err != nil {
					return 0, fmt.Errorf("corpus: the list of ids, behind %d: %w", l.count, err)
				}
				return 0, io.EOF
			}
			id, err := strconv.ParseInt(words.Text(), 10, 64)
			if err != nil {
				err = fmt.Errorf("corpus: %.20q is no token id, behind %d", words.Text(), l.count)
			}
			return id, err
		}
	default:
		return nil, fmt.Errorf("corpus: no format %q of ids", f)
	}
	return l, nil
}

// read returns the next n ids, fewer at the end.
func (l *list) read(n int) ([]int32, error) {
	ids := make([]int32, 0, n)
	for len(ids) < n {
		id, err := l.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if id < 0 || id >= int64(l.vocab) {
			return nil, fmt.Errorf("corpus: token id %d, behind %d others: the model has ids from 0 to %d", id, l.count, l.vocab-1)
		}
		ids, l.count = append(ids, int32(id)), l.count+1
	}
	return ids, nil
}
