package corpus

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
	"strings"
)

// Whole is the size up to which a text is made into ids as a whole, in bytes. A
// longer one is cut into blocks of at most [BlockSize], of which each is made into
// ids, and cut into windows, by itself.
const Whole = 64 << 20

// Options say what is made of a text.
type Options struct {
	Size  int   // tokens of a window, the last of a text or block being shorter
	Lines bool  // a window is a line that is not blank instead, of any size
	First int32 // stands for the first token of each window, such as BOS; -1: nothing does
	Limit int   // tokens of the text that are read; 0: all

	// Of a whole text, and of ids, share Shard of Shards gets every Shards-th window
	// from window Shard on; of a longer text it gets the blocks in that way, and no
	// others are made into ids. Shards 0 is 1.
	Shard, Shards int

	// Encode makes ids of a piece of text; begin is set at the beginning of the text,
	// and of each block.
	Encode func(text string, begin bool) ([]int32, error)

	IDs   Format // what is read is ids, and no text
	Vocab int    // ids are below this

	From Place // where a reading that was interrupted goes on; the zero value: the start
}

// A Place is how far a reading has come.
type Place struct {
	Block  int    `json:"block"`  // blocks that are behind
	Window int    `json:"window"` // windows of this block that are behind, those of other shares included
	Sum    string `json:"sha256"` // of what is before the block, as of Digest
}

// A Window is what a model reads at once.
type Window struct {
	Block int // 0 where the text was read whole
	Seq   int // number of the window in its block
	IDs   []int32
}

// A Reading gives the windows of a share one after another, in constant memory
// if the text is longer than [Whole], or ids.
type Reading struct {
	o      Options
	source source
	sum    hash.Hash // of what was read
	whole  bool      // there is one block, whose windows are shared
	list   int       // ids read
	before string    // sum of what is before the block
	block  int
	window int       // the next one of the block
	first  int       // windows before the block, where windows are shared
	seqs   [][]int32 // of the block, its windows; none: of another share, or behind
}

// A source gives the windows of the next block, or io.EOF; none where need is false.
type source func(need bool) ([][]int32, error)

// Read begins a reading.
func Read(r io.Reader, o Options) (*Reading, error) { return read(r, o, Whole, BlockSize) }

// begin checks the options.
func begin(o Options) (*Reading, error) {
	o.Shards = max(o.Shards, 1)
	if o.Size < 1 || o.Shard < 0 || o.Shard >= o.Shards || o.Limit < 0 {
		return nil, fmt.Errorf("corpus: windows of %d tokens, share %d of %d, at most %d tokens", o.Size, o.Shard, o.Shards, o.Limit)
	}
	const most = 1 << 40 // windows, and blocks
	if f := o.From; f.Block < 0 || f.Block > most || f.Window < 0 || f.Window > most {
		return nil, fmt.Errorf("corpus: no text goes on at window %d of block %d", f.Window, f.Block)
	}
	return &Reading{o: o, sum: sha256.New(), block: -1}, nil
}

func read(r io.Reader, o Options, whole, blockSize int) (*Reading, error) {
	t, err := begin(o)
	if err != nil {
		return nil, err
	}
	o = t.o
	if o.IDs != "" {
		list, err := newList(r, o.IDs, o.Vocab)
		if err != nil {
			return nil, err
		}
		t.source, t.whole = t.ofIDs(list), true
		return t, nil
	}
	head, n, err := readHead(r, whole+1)
	if err != nil {
		return nil, err
	}
	b := newBlocks(io.MultiReader(head...), n+1) // one block
	if n > whole {
		b = newBlocks(io.MultiReader(append(head, r)...), blockSize)
		if o.Limit == 0 {
			t.sum, t.source = b.sum, t.ofText(b)
			return t, nil
		}
	}
	seqs, err := t.beginning(b)
	if err != nil {
		return nil, err
	}
	return t, t.hold(seqs)
}

// readHead reads at most n bytes, in pieces that are let go one by one as they are read
// again.
func readHead(r io.Reader, n int) (pieces []io.Reader, size int, err error) {
	for size < n {
		b := make([]byte, min(BlockSize, n-size))
		k, err := io.ReadFull(r, b)
		pieces, size = append(pieces, bytes.NewReader(b[:k])), size+k
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return pieces, size, nil
		default:
			return nil, 0, err
		}
	}
	return pieces, size, nil
}

// Hold is a reading of ids that are in memory.
func Hold(ids []int32, o Options) (*Reading, error) {
	t, err := begin(o)
	if err != nil {
		return nil, err
	}
	if o.Limit > 0 {
		ids = ids[:min(o.Limit, len(ids))]
	}
	return t, t.hold(t.cut(ids))
}

func (t *Reading) hold(seqs [][]int32) error {
	if len(seqs) == 0 {
		return ErrEmpty
	}
	t.whole = true
	t.source = func(bool) ([][]int32, error) { return nil, io.EOF }
	t.enter(seqs)
	for _, s := range seqs {
		t.count(s)
	}
	if t.o.From.Block > 0 {
		return errShorter
	}
	t.window = t.o.From.Window
	return nil
}

// ErrEmpty says that a text has no tokens.
var ErrEmpty = errors.New("corpus: the text is empty")

// ErrLimit says that nothing of a text is within the limit.
var ErrLimit = errors.New("the limit is lower")

var errShorter = errors.New("corpus: the text is shorter than the one that was begun with")

// beginning returns the windows of a text, of as many tokens as are wanted.
func (t *Reading) beginning(b *blocks) (seqs [][]int32, err error) {
	var ids []int32
	n, limit := 0, cmp.Or(t.o.Limit, math.MaxInt)
	for n < limit {
		text, err := b.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if t.o.Lines {
			more, err := t.lines(string(text))
			if err != nil {
				return nil, err
			}
			for _, s := range more {
				if n += len(s); n > limit && seqs == nil {
					return nil, fmt.Errorf("corpus: the first line has %d tokens, and %w", n, ErrLimit)
				} else if n > limit {
					break
				}
				seqs = append(seqs, s)
			}
			continue
		}
		more, err := t.o.Encode(string(text), ids == nil)
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
		n = len(ids)
	}
	if t.o.Lines {
		return seqs, nil
	}
	return t.cut(ids[:min(limit, len(ids))]), nil
}

// lines returns the ids of the lines of a text that are not blank.
func (t *Reading) lines(text string) (seqs [][]int32, err error) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		ids, err := t.o.Encode(line, true)
		if err != nil {
			return nil, err
		}
		if len(ids) > 0 {
			seqs = append(seqs, ids)
		}
	}
	return seqs, nil
}

// cut divides ids into windows.
func (t *Reading) cut(ids []int32) [][]int32 { return slices.Collect(slices.Chunk(ids, t.o.Size)) }

// ofText is the source of a text that is read in blocks.
func (t *Reading) ofText(b *blocks) source {
	return func(need bool) ([][]int32, error) {
		text, err := b.next()
		if err != nil || !need || (t.block+1)%t.o.Shards != t.o.Shard {
			return nil, err
		}
		if t.o.Lines {
			return t.lines(string(text))
		}
		ids, err := t.o.Encode(string(text), true)
		return t.cut(ids), err
	}
}

// idBlock is how many ids are read at once, at least.
const idBlock = 1 << 16

// ofIDs is the source of a list of ids.
func (t *Reading) ofIDs(list *list) source {
	size := (idBlock + t.o.Size - 1) / t.o.Size * t.o.Size
	left := cmp.Or(t.o.Limit, math.MaxInt)
	return func(bool) ([][]int32, error) {
		ids, err := list.read(min(size, left))
		if err == nil && len(ids) == 0 {
			err = io.EOF
		}
		left -= len(ids)
		t.list += len(ids)
		t.count(ids)
		return t.cut(ids), err
	}
}

// count adds ids to the sum.
func (t *Reading) count(ids []int32) {
	b := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	t.sum.Write(b)
}

// enter begins the next block.
func (t *Reading) enter(seqs [][]int32) {
	t.first += len(t.seqs)
	t.block++
	t.seqs, t.window = seqs, 0
}

// Next returns the next window of the share, or io.EOF behind the last. The ids are
// the caller's.
func (t *Reading) Next() (Window, error) {
	for {
		if t.window < len(t.seqs) {
			w := Window{Block: t.block, Seq: t.window, IDs: slices.Clone(t.seqs[t.window])}
			t.window++
			if t.whole && (t.first+w.Seq)%t.o.Shards != t.o.Shard {
				continue
			}
			if t.o.First >= 0 {
				w.IDs[0] = t.o.First
			}
			if t.o.IDs != "" { // blocks of ids are no pieces of the text
				w.Block, w.Seq = 0, t.first+w.Seq
			}
			return w, nil
		}
		before := ""
		if t.block >= 0 {
			before = hexSum(t.sum)
		}
		from := t.o.From
		seqs, err := t.source(t.block+1 >= from.Block)
		switch {
		case err == io.EOF && t.block < 0:
			return Window{}, ErrEmpty
		case err == io.EOF && t.block < from.Block:
			return Window{}, errShorter
		case err != nil:
			return Window{}, err
		}
		t.enter(seqs)
		t.before = before
		switch {
		case t.block < from.Block:
			t.window = len(seqs) // all are behind
		case t.block == from.Block:
			if before != from.Sum {
				return Window{}, errors.New("corpus: the text is another than the one that was begun with")
			}
			t.window = from.Window
		}
	}
}

// Place is where a reading goes on that stops now.
func (t *Reading) Place() Place { return Place{max(t.block, 0), t.window, t.before} }

// Tokens returns how many tokens the windows have that are to come; false if that is not
// known before they are read.
func (t *Reading) Tokens() (n int, known bool) {
	if t.o.IDs != "" || !t.whole {
		return 0, false
	}
	for i := t.window; i < len(t.seqs); i++ {
		if i%t.o.Shards == t.o.Shard {
			n += len(t.seqs[i])
		}
	}
	return n, true
}

// Windows returns how many windows of whole size the text has, those of all shares;
// false if that is not known.
func (t *Reading) Windows() (n int, known bool) {
	if t.o.IDs != "" || !t.whole {
		return 0, false
	}
	for _, s := range t.seqs {
		if len(s) >= t.o.Size {
			n++
		}
	}
	return n, true
}

// Whole returns how many windows of whole size were read so far, of a list of ids.
func (t *Reading) Whole() int { return t.list / t.o.Size }

// Blocked tells whether the text is read in blocks.
func (t *Reading) Blocked() bool { return !t.whole }

// Blocks returns the number of blocks of a text that is read in blocks so far, and 0
// of others.
func (t *Reading) Blocks() int {
	if t.whole {
		return 0
	}
	return t.block + 1
}

// Digest returns the SHA-256 of what was read in hexadecimal: of the text where it is
// read in blocks, else of the ids as little-endian int32, as that of eval.Digest. It is
// of all when Next has returned io.EOF.
func (t *Reading) Digest() string { return hexSum(t.sum) }
