package corpus

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"unicode/utf8"

	"github.com/normswap/normswap/internal/text"
)

// BlockSize is the most that a block of a text has, in bytes.
const BlockSize = 1 << 20

// blocks cuts a text into pieces of at most size bytes: behind the last line feed of a
// full piece, or else the last space, or else between characters; in its
// second half, so that blocks are of a size. Where it cuts depends on the bytes
// of the text alone, and not on how these are read.
type blocks struct {
	r    io.Reader
	size int
	buf  []byte // read and not yet returned
	last int    // bytes of the block that was returned last, at the start of buf
	sum  hash.Hash
	read int64 // bytes of the blocks returned
	end  bool  // nothing is left to read
}

func newBlocks(r io.Reader, size int) *blocks {
	return &blocks{r: r, size: size, sum: sha256.New(), buf: make([]byte, 0, size)}
}

// next returns the next block, which is valid until the next call, or io.EOF.
func (b *blocks) next() ([]byte, error) {
	b.buf = b.buf[:copy(b.buf, b.buf[b.last:])]
	b.last = 0
	for !b.end && len(b.buf) < b.size {
		n, err := b.r.Read(b.buf[len(b.buf):b.size])
		b.buf = b.buf[:len(b.buf)+n]
		switch {
		case err == io.EOF:
			b.end = true
		case err != nil:
			return nil, err
		}
	}
	if len(b.buf) == 0 {
		return nil, io.EOF
	}
	b.last = len(b.buf)
	if !b.end {
		b.last = cut(b.buf)
	}
	block := b.buf[:b.last]
	if at := text.Invalid(block); at >= 0 {
		return nil, fmt.Errorf("corpus: byte %d of the text is 0x%02x, which is no UTF-8", b.read+int64(at), block[at])
	}
	b.sum.Write(block)
	b.read += int64(len(block))
	return block, nil
}

// cut returns where a full block ends.
func cut(b []byte) int {
	half := len(b) / 2
	for _, c := range []byte{'\n', ' '} {
		if at := bytes.LastIndexByte(b[half:], c); at >= 0 {
			return half + at + 1
		}
	}
	for n := 1; n < utf8.UTFMax; n++ {
		if at := len(b) - n; at > 0 && utf8.RuneStart(b[at]) {
			if !utf8.FullRune(b[at:]) {
				return at
			}
			break
		}
	}
	return len(b)
}

// hexSum is the sum of what was written to h so far.
func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
