package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/x448/float16"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/ops"
)

// A state, as Save writes it: the line stateMagic, a length of four bytes, the
// stateHeader as JSON of that length, the ids of the tokens, the keys and values of
// each layer, position by position, as float32 or in half precision, the states that
// recurrent layers have kept, as float32, and the SHA-256 of all that. Numbers are
// little-endian.
type stateHeader struct {
	Model    string `json:"model_sha256"`
	Norms    string `json:"norms_sha256"`
	Settings string `json:"settings"`
	Cache    string `json:"cache"`
	Tokens   int    `json:"tokens"`
	Prompt   int    `json:"prompt_tokens"` // the first ones, see Session.prompt

	States []stateAt `json:"states,omitempty"` // that recurrent layers have kept, by position
}

type stateAt struct {
	At    int  `json:"at"`
	Tiled bool `json:"tiled"` // the tokens before it add up as those of a prompt
}

const (
	stateMagic = "normswap-state-1\n"
	// maxStateHeader bounds the header of a state, in bytes.
	maxStateHeader = 1 << 16
	// stateRows is how many positions are written at a time.
	stateRows = 64
)

// ErrState tells that a state cannot be restored: it is damaged, or of another model,
// other norms, or other settings.
var ErrState = errors.New("engine: the state of a session")

func badState(format string, args ...any) error {
	return fmt.Errorf("%w %s", ErrState, fmt.Sprintf(format, args...))
}

// Save writes the timeline with its cache, for [Session.Restore]. It reads all weights
// once for each model, for their hash. A session with norms of the caller's own
// ([Options].ReplaceNorm) cannot be saved: nothing tells these from others.
func (s *Session) Save(ctx context.Context, w io.Writer) error {
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	h, err := s.stateHeader(ctx)
	if err != nil {
		return err
	}
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	sum := sha256.New()
	to := io.MultiWriter(w, sum)
	head := append([]byte(stateMagic), binary.LittleEndian.AppendUint32(nil, uint32(len(b)))...)
	if _, err := to.Write(append(head, b...)); err != nil {
		return err
	}
	if err := binary.Write(to, binary.LittleEndian, s.tokens); err != nil {
		return err
	}
	err = s.eachRows(ctx, s.kv, func(kv *ops.KV, pos int, k, v []float32) error {
		kv.Rows(pos, k, v)
		return errors.Join(s.writeFloats(to, k), s.writeFloats(to, v))
	})
	if err != nil {
		return err
	}
	for i := range h.States {
		if err := s.states[i].each(func(x []float32) error { return binary.Write(to, binary.LittleEndian, x) }); err != nil {
			return err
		}
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// Restore makes the timeline that which was saved by a session of the same model with
// the same norms and settings: what follows is the same to the last bit. An error,
// which is [ErrState] if the state is not for this session, leaves the timeline as it
// was.
func (s *Session) Restore(ctx context.Context, r io.Reader) error {
	sum := sha256.New()
	from := io.TeeReader(r, sum)
	h, err := readStateHeader(from)
	if err != nil {
		return err
	}
	mine, err := s.stateHeader(ctx)
	if err != nil {
		return err
	}
	switch {
	case h.Model != mine.Model:
		return badState("is of another model: SHA-256 of the weights %.12s, here %.12s", h.Model, mine.Model)
	case h.Norms != mine.Norms:
		return badState("is of the same model with other norms")
	case h.Settings != mine.Settings:
		return badState("was made with %s, here it is %s", h.Settings, mine.Settings)
	case h.Cache != mine.Cache:
		return badState("has a cache of %s, here it is %s", h.Cache, mine.Cache)
	case h.Tokens < 0 || h.Tokens > s.max:
		return badState("has %d tokens, room is for %d", h.Tokens, s.max)
	case !s.model.canHave(h.States, h.Tokens):
		return badState("is damaged: states at %v of %d tokens", h.States, h.Tokens)
	case h.Prompt < 0 || h.Prompt > h.Tokens:
		return badState("is damaged: %d tokens of the prompt, of %d", h.Prompt, h.Tokens)
	}
	tokens := make([]int32, h.Tokens, max(h.Tokens, min(s.max, DefaultContext)))
	if err := binary.Read(from, binary.LittleEndian, tokens); err != nil {
		return cutState(err)
	}
	for _, id := range tokens {
		if id < 0 || int(id) >= s.model.Arch.Vocab {
			return badState("is damaged: token %d is not in the vocabulary of %d", id, s.model.Arch.Vocab)
		}
	}
	var kv []*ops.KV
	for i := range s.model.blocks {
		kv = append(kv, s.newKV(i))
	}
	read := &Session{model: s.model, tokens: tokens, f16: s.f16}
	err = read.eachRows(ctx, kv, func(kv *ops.KV, pos int, k, v []float32) error {
		if err := errors.Join(s.readFloats(from, k), s.readFloats(from, v)); err != nil {
			return cutState(err)
		}
		kv.Store(pos, k, v)
		return nil
	})
	if err != nil {
		return err
	}
	for _, at := range h.States {
		t := read.newStates()
		t.at, t.rows, t.way = at.At, at.At, ops.Apart
		if at.Tiled {
			t.way = ops.Tiled
		}
		if err := t.each(func(x []float32) error { return cutState(binary.Read(from, binary.LittleEndian, x)) }); err != nil {
			return err
		}
		read.states = append(read.states, t)
	}
	var want [sha256.Size]byte
	have := sum.Sum(nil)
	if _, err := io.ReadFull(r, want[:]); err != nil {
		return cutState(err)
	}
	if !bytes.Equal(have, want[:]) {
		return badState("is damaged: its SHA-256 is not the one in it")
	}
	if n, _ := r.Read(want[:1]); n > 0 {
		return badState("is damaged: it goes on behind its end")
	}
	s.tokens, s.kv, s.prompt, s.states = tokens, kv, h.Prompt, read.states
	return nil
}

func readStateHeader(r io.Reader) (h stateHeader, err error) {
	head := make([]byte, len(stateMagic)+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return h, cutState(err)
	}
	if string(head[:len(stateMagic)]) != stateMagic {
		return h, badState("is none, or of another version: it begins with %q, not %q", head[:len(stateMagic)], stateMagic)
	}
	n := binary.LittleEndian.Uint32(head[len(stateMagic):])
	if n > maxStateHeader {
		return h, badState("is damaged: a header of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return h, cutState(err)
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return h, badState("is damaged: %v", err)
	}
	return h, nil
}

// canHave reports whether a session of some tokens can have kept states at positions.
func (m *Model) canHave(at []stateAt, tokens int) bool {
	if m.stateSize == 0 || tokens == 0 {
		return len(at) == 0
	}
	for i, s := range at {
		if s.At <= 0 || i > 0 && s.At <= at[i-1].At {
			return false
		}
	}
	return len(at) > 0 && len(at) <= keptStates && at[len(at)-1].At == tokens
}

// cutState is the error of a reader, which for an end that comes early says so.
func cutState(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badState("is cut off")
	}
	return err
}

// eachRows calls f for each layer of a cache with room for some positions of the
// timeline after the others.
func (s *Session) eachRows(ctx context.Context, kv []*ops.KV, f func(kv *ops.KV, pos int, k, v []float32) error) error {
	for i, c := range kv {
		width := s.model.blocks[i].CacheHeads() * s.model.Arch.HeadDim
		if width == 0 {
			continue
		}
		for pos := 0; pos < len(s.tokens); pos += stateRows {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(stateRows, len(s.tokens)-pos) * width
			x := make([]float32, 2*n)
			if err := f(c, pos, x[:n], x[n:]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Session) writeFloats(w io.Writer, x []float32) error {
	if !s.f16 {
		return binary.Write(w, binary.LittleEndian, x)
	}
	h := make([]uint16, len(x))
	for i, v := range x {
		h[i] = float16.Fromfloat32(v).Bits() // which it was before
	}
	return binary.Write(w, binary.LittleEndian, h)
}

func (s *Session) readFloats(r io.Reader, x []float32) error {
	if !s.f16 {
		return binary.Read(r, binary.LittleEndian, x)
	}
	h := make([]uint16, len(x))
	if err := binary.Read(r, binary.LittleEndian, h); err != nil {
		return err
	}
	for i, v := range h {
		x[i] = float16.Frombits(v).Float32()
	}
	return nil
}

// stateHeader says what a state of the session is of.
func (s *Session) stateHeader(ctx context.Context) (h stateHeader, err error) {
	m := s.model
	if m.opts.ReplaceNorm != nil {
		return h, badState("with norms of the caller's own cannot be saved or restored")
	}
	if err := m.passes.enter(); err != nil {
		return h, err
	}
	defer m.passes.leave()
	h.Tokens, h.Prompt, h.Cache = len(s.tokens), s.prompt, "F32"
	if s.f16 {
		h.Cache = "F16"
	}
	o := &m.opts
	for _, t := range s.states {
		if t.at <= h.Tokens {
			h.States = append(h.States, stateAt{t.at, t.way == ops.Tiled})
		}
	}
	h.Settings = fmt.Sprintf("float activations %v, GELU in its tanh form %v, folded gains %v, folded readers %v", o.FloatActivations, o.TanhGELU, o.FoldGain, o.FoldReaders)
	if o.BF16Activations {
		h.Settings += ", activations in BF16"
	}
	norms := sha256.New()
	for _, n := range m.Arch.Norms() {
		c := m.choices[n]
		b, err := json.Marshal(c.constants)
		if err != nil {
			return h, err
		}
		fmt.Fprintf(norms, "%s %s %s\n", n.Site, c.form, b)
	}
	h.Norms = hexSum(norms)
	h.Model, err = m.weightsSum(ctx)
	return h, err
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// A weightsSum is the hash of a file's weights, once it is known.
type weightsSum struct {
	sync.Mutex
	hex string
}

// weightsSum returns the SHA-256 of the metadata and of the SHA-256 of each tensor.
func (m *Model) weightsSum(ctx context.Context) (string, error) {
	if base := m.passes.base; base != nil {
		return base.weightsSum(ctx)
	}
	m.sum.Lock()
	defer m.sum.Unlock()
	if m.sum.hex != "" {
		return m.sum.hex, nil
	}
	t := &tensorSums{m.File.Tensors, make([][sha256.Size]byte, len(m.File.Tensors))}
	pool := m.pool.Share()
	pool.SetContext(ctx)
	err := m.File.Guard(func() error {
		pool.Run(t, len(t.sums), 1)
		return ctx.Err()
	})
	if err != nil {
		return "", err
	}
	all := sha256.New()
	for _, kv := range m.File.Meta.All() {
		fmt.Fprintf(all, "%s=%v\n", kv.Key, kv.Value)
	}
	for i, sum := range t.sums {
		t := &m.File.Tensors[i]
		fmt.Fprintf(all, "%s %v %v %x\n", t.Name, t.Type, t.Dims, sum)
	}
	m.sum.hex = hexSum(all)
	return m.sum.hex, nil
}

// tensorSums hashes tensors.
type tensorSums struct {
	tensors []gguf.Tensor
	sums    [][sha256.Size]byte
}

func (t *tensorSums) Do(_, lo, hi int) {
	for i := lo; i < hi; i++ {
		t.sums[i] = sha256.Sum256(t.tensors[i].Data)
	}
}
