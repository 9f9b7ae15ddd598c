package corpus

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// runes are the ids of a text: its characters, with 1 where the text begins.
func runes(text string, begin bool) (ids []int32, err error) {
	if begin {
		ids = append(ids, 1)
	}
	for _, r := range text {
		ids = append(ids, r)
	}
	return ids, nil
}

// tale is a text of lines, of a few long ones without spaces, and of several bytes a
// character.
func tale(n int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < n {
		b.WriteString([]string{"word", "ä", "日本語", "\n", " ", "\n\n", strings.Repeat("ü", 300)}[rng.IntN(7)])
	}
	return b.String()
}

func all(t *testing.T, r *Reading) (windows []Window) {
	t.Helper()
	for {
		w, err := r.Next()
		if err == io.EOF {
			return windows
		}
		if err != nil {
			t.Fatal(err)
		}
		windows = append(windows, w)
	}
}

func TestBlocks(t *testing.T) {
	text := tale(100_000)
	var cuts []int
	for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
		b := newBlocks(r, 1000)
		got := ""
		var at []int
		for {
			block, err := b.next()
			if err == io.EOF {
				break
			}
			if err != nil || len(block) > 1000 || len(block) < 490 && len(got)+len(block) < len(text) {
				t.Fatalf("a block of %d bytes, %v", len(block), err)
			}
			got += string(block)
			at = append(at, len(got))
		}
		if got != text {
			t.Fatal("blocks are not the text")
		}
		if cuts != nil && !slices.Equal(cuts, at) {
			t.Error("where blocks end depends on the reads")
		}
		cuts = at
	}
	b := newBlocks(strings.NewReader(strings.Repeat("a", 1500)+"\xff"), 1000)
	_, err := b.next()
	if _, err2 := b.next(); err != nil || err2 == nil || !strings.Contains(err2.Error(), "byte 1500 of the text is 0xff") {
		t.Errorf("%v, %v", err, err2)
	}
}

// Shares are the whole, in every way of reading, and a reading goes on anywhere.
func TestShares(t *testing.T) {
	text := tale(20_000)
	ids, _ := runes(text, true)
	var list bytes.Buffer
	if err := binary.Write(&list, binary.LittleEndian, ids); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		data   string
		whole  int
		o      Options
		tokens int // 0: more than the ids, a 1 for each block
	}{
		{"whole", text, len(text), Options{Size: 64}, len(ids)},
		{"whole, limited", text, len(text), Options{Size: 64, Limit: 1000}, 1000},
		{"blocks, limited", text, 5000, Options{Size: 64, Limit: 3000}, 3000},
		{"blocks", text, 5000, Options{Size: 64}, 0},
		{"lines", text, 5000, Options{Size: 1, Lines: true}, -1},
		{"lines, whole", text, len(text), Options{Size: 1, Lines: true}, -1},
		{"ids", list.String(), 0, Options{Size: 30000, IDs: Int32, Vocab: 1 << 17}, len(ids)},
		{"ids, limited", list.String(), 0, Options{Size: 7, IDs: Int32, Vocab: 1 << 17, Limit: 1001}, 1001},
	} {
		c.o.First, c.o.Encode = 2, runes
		open := func(o Options) *Reading {
			r, err := read(strings.NewReader(c.data), o, c.whole, 700)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			return r
		}
		single := open(c.o)
		known, ok := single.Tokens()
		want := all(t, single)
		n := 0
		for _, w := range want {
			if w.IDs[0] != 2 {
				t.Fatalf("%s: window %d of block %d begins with %d", c.name, w.Seq, w.Block, w.IDs[0])
			}
			if c.o.Lines && slices.Contains(w.IDs, '\n') {
				t.Fatalf("%s: window %d of block %d has several lines", c.name, w.Seq, w.Block)
			}
			n += len(w.IDs)
		}
		if ok && known != n || c.tokens > 0 && n != c.tokens || c.tokens == 0 && n != len(ids)-1+single.Blocks() {
			t.Errorf("%s: %d tokens, told %d, %v; want %d", c.name, n, known, ok, c.tokens)
		}
		for _, shards := range []int{1, 3, 100} {
			got := map[string][]int32{}
			for shard := range shards {
				o := c.o
				o.Shard, o.Shards = shard, shards
				r := open(o)
				part := all(t, r)
				for _, w := range part {
					got[fmt.Sprint(w.Block, w.Seq)] = w.IDs
				}
				if r.Digest() != single.Digest() || r.Blocks() != single.Blocks() {
					t.Errorf("%s: share %d of %d: the sum of the text, or %d blocks, differ", c.name, shard, shards, r.Blocks())
				}
				// Interrupted after some windows, or at the end.
				r = open(o)
				for k := 0; k <= len(part); k += 1 + len(part)/5 {
					for range k {
						if _, err := r.Next(); err != nil {
							t.Fatal(err)
						}
					}
					again := o
					again.From = r.Place()
					rest := all(t, open(again))
					if !slices.EqualFunc(rest, part[k:], func(a, b Window) bool {
						return a.Block == b.Block && a.Seq == b.Seq && slices.Equal(a.IDs, b.IDs)
					}) {
						t.Fatalf("%s: share %d of %d: behind window %d there are %d of %d windows", c.name, shard, shards, k, len(rest), len(part)-k)
					}
					r = open(o)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%s: %d windows of %d in %d shares", c.name, len(got), len(want), shards)
			}
			for _, w := range want {
				if !slices.Equal(got[fmt.Sprint(w.Block, w.Seq)], w.IDs) {
					t.Fatalf("%s: %d shares: window %d of block %d differs", c.name, shards, w.Seq, w.Block)
				}
			}
		}
	}
}

func TestAnotherText(t *testing.T) {
	text := tale(20_000)
	o := Options{Size: 64, First: -1, Encode: runes}
	r, err := read(strings.NewReader(text), o, 5000, 700)
	if err != nil {
		t.Fatal(err)
	}
	for r.Blocks() < 10 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	o.From = r.Place()
	for other, want := range map[string]string{"x" + text: "another", text[:5600]: "shorter", "short": "shorter", "": "empty"} {
		r, err := read(strings.NewReader(other), o, 5000, 700)
		if err == nil {
			_, err = r.Next()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "corpus: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("a text of %d bytes: %v", len(other), err)
		}
	}
}

func TestIDs(t *testing.T) {
	for _, c := range []struct {
		format Format
		data   string
		want   string
	}{
		{Int32, "\x01\x00\x00\x00\x00\x01\x00\x00", "[1 256]"},
		{Uint16, "\x01\x00\x00\x01", "[1 256]"},
		{Decimal, " 1\n256\t", "[1 256]"},
		{Int32, "\x01\x00\x00", "ends within one, behind 0"},
		{Uint16, "\x01\x00\x02", "ends within one, behind 1"},
		{Decimal, "1 two", `"two" is no token id, behind 1`},
		{Decimal, "1 999", "token id 999, behind 1 others: the model has ids from 0 to 299"},
		{Int32, "\xff\xff\xff\xff", "token id -1, behind 0"},
		{Decimal, "", "empty"},
		{"octal", "1", `no format "octal"`},
	} {
		r, err := Read(strings.NewReader(c.data), Options{Size: 8, First: -1, IDs: c.format, Vocab: 300})
		var w Window
		if err == nil {
			w, err = r.Next()
		}
		got := fmt.Sprint(w.IDs)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) || err != nil && !strings.HasPrefix(got, "corpus: ") {
			t.Errorf("%s %q: %s, want %s", c.format, c.data, got, c.want)
		}
	}
}

// FuzzRead: whatever the bytes, and however they are shared, all windows together are the
// text, or there is an error.
func FuzzRead(f *testing.F) {
	f.Add([]byte(tale(3000)), 7, 3, 100)
	f.Add([]byte("a\xffb"), 1, 1, 0)
	f.Fuzz(func(t *testing.T, b []byte, size, shards, whole int) {
		size, shards, whole = 1+size&63, 1+shards&7, whole&1023
		total := 0
		for shard := range shards {
			r, err := read(bytes.NewReader(b), Options{Size: size, First: -1, Shard: shard, Shards: shards, Encode: func(text string, _ bool) ([]int32, error) { return runes(text, false) }}, whole, 64)
			n := 0
			for err == nil {
				var w Window
				if w, err = r.Next(); err == nil {
					n += len(w.IDs)
				}
			}
			if err != io.EOF && !strings.HasPrefix(err.Error(), "corpus: ") {
				t.Fatal(err)
			}
			if err != io.EOF {
				return
			}
			total += n
		}
		if want := len([]rune(string(b))); total != want {
			t.Errorf("%d characters in %d shares of windows of %d, want %d", total, shards, size, want)
		}
	})
}
