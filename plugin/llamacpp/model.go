package llamacpp

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/normswap/normswap/gguf"
)

// Options say how llama.cpp runs a model.
type Options struct {
	// Context is the number of positions; 0 means 512, or what the model was
	// trained for if that is less.
	Context int
	// Threads is the number of threads; 0 means one for each processor.
	Threads int
	// GPULayers is the number of layers that a GPU computes; negative means all.
	GPULayers int
	// Plain runs the model without the callback, as other programs do: it has no
	// sites then, and takes no hook. It is what a callback's cost is measured
	// against.
	Plain bool
}

// A Model is a model in llama.cpp with one timeline of tokens. One goroutine at a
// time may use it.
type Model struct {
	File *gguf.File

	lib            *Library
	model, context uintptr
	id             uintptr // of the callback's argument
	threads        int
	size, pos      int // positions there are, and in use
	vocab          int

	sites []*Site
	graph *graph
	run   *run // the evaluation in progress
}

// models finds a model by the argument of its callback.
var models struct {
	sync.Mutex
	next uintptr
	by   map[uintptr]*Model
}

// callback is the one cb_eval of the process: callbacks are never freed.
var callback = sync.OnceValue(func() uintptr {
	return purego.NewCallback(func(t *tensor, ask bool, id uintptr) bool {
		models.Lock()
		m := models.by[id]
		models.Unlock()
		return m != nil && m.node(t, ask)
	})
})

// Open loads a model, evaluates a few tokens, and finds the norms of its graph.
func (l *Library) Open(path string, o Options) (*Model, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	m := &Model{lib: l, File: f, threads: o.Threads}
	if m.threads == 0 {
		m.threads = runtime.NumCPU()
	}
	if err := m.open(path, o); err != nil {
		m.Close()
		return nil, fmt.Errorf("llamacpp: %s: %w", path, err)
	}
	return m, nil
}

func (m *Model) open(path string, o Options) error {
	l := m.lib
	because() // forget what came before
	var p params
	l.modelParams.call(unsafe.Pointer(&p))
	if err := p.setGPULayers(o.GPULayers); err != nil {
		return err
	}
	name := append([]byte(path), 0)
	at := &name[0]
	l.loadModel.call(unsafe.Pointer(&m.model), unsafe.Pointer(&at), unsafe.Pointer(&p))
	runtime.KeepAlive(name)
	if m.model == 0 {
		return fmt.Errorf("llama.cpp does not load it%s", because())
	}
	m.vocab = int(l.vocabSize(l.vocab(m.model)))
	trained := int(l.trained(m.model))
	switch m.size = o.Context; {
	case m.size == 0:
		m.size = min(trained, 512)
	case m.size < 0:
		return fmt.Errorf("a context of %d positions", m.size)
	}

	var call uintptr
	if !o.Plain {
		call = callback()
		models.Lock()
		if models.by == nil {
			models.by = map[uintptr]*Model{}
		}
		models.next++
		m.id = models.next
		models.by[m.id] = m
		models.Unlock()
	}
	p = params{}
	l.contextParams.call(unsafe.Pointer(&p))
	if err := p.setContext(m.size, m.threads, call, m.id); err != nil {
		return err
	}
	l.newContext.call(unsafe.Pointer(&m.context), unsafe.Pointer(&m.model), unsafe.Pointer(&p))
	if m.context == 0 {
		return fmt.Errorf("llama.cpp makes no context of it%s", because())
	}
	if o.Plain {
		return nil
	}
	return m.learn()
}

// Close frees the model. It may be called twice.
func (m *Model) Close() error {
	if m.context != 0 {
		m.lib.freeContext(m.context)
	}
	if m.model != 0 {
		m.lib.freeModel(m.model)
	}
	m.context, m.model = 0, 0
	models.Lock()
	delete(models.by, m.id)
	models.Unlock()
	return m.File.Close()
}

// Sites returns the norms of the graph in the order of evaluation.
func (m *Model) Sites() []*Site { return m.sites }

// Vocab returns the number of tokens.
func (m *Model) Vocab() int { return m.vocab }

// Context returns the number of positions.
func (m *Model) Context() int { return m.size }

// Reset begins a new timeline.
func (m *Model) Reset() {
	m.lib.clear(m.lib.memory(m.context), true)
	m.pos = 0
}

// Tokenize returns the ids of a text by llama.cpp's tokenizer, with the tokens
// that the model puts around a text, and without reading special tokens in it.
func (m *Model) Tokenize(text string) ([]int32, error) {
	if text == "" {
		return nil, errors.New("llamacpp: the text is empty")
	}
	ids := make([]int32, len(text)+8)
	b := []byte(text)
	n := m.lib.tokenize(m.lib.vocab(m.model), unsafe.Pointer(&b[0]), int32(len(b)), unsafe.Pointer(&ids[0]), int32(len(ids)), true, false)
	if n <= 0 {
		return nil, fmt.Errorf("llamacpp: llama.cpp does not tokenise the text (%d)%s", n, because())
	}
	return ids[:n], nil
}

// Eval appends tokens to the timeline and returns the logits of each of them,
// [tokens x vocabulary]. A hook, which may be nil, changes norms and looks at
// them. After an error the model has to be [Model.Reset].
func (m *Model) Eval(ctx context.Context, tokens []int32, h *Hook) ([]float32, error) {
	logits, err := m.eval(ctx, tokens, h)
	if err != nil {
		return nil, fmt.Errorf("llamacpp: %w", err)
	}
	return logits, nil
}

func (m *Model) eval(ctx context.Context, tokens []int32, h *Hook) ([]float32, error) {
	switch {
	case len(tokens) == 0:
		return nil, errors.New("no tokens")
	case len(tokens) > m.size-m.pos:
		return nil, fmt.Errorf("%d tokens do not fit into a context of %d behind %d others", len(tokens), m.size, m.pos)
	case h != nil && m.id == 0:
		return nil, errors.New("a hook needs a model with the callback")
	}
	for _, id := range tokens {
		if id < 0 || int(id) >= m.vocab {
			return nil, fmt.Errorf("token %d is outside the vocabulary of %d", id, m.vocab)
		}
	}
	r := &run{ctx: ctx, tokens: tokens, pos: m.pos}
	if m.graph != nil {
		r.prepare(m, h)
	}
	m.run = r
	defer func() { m.run = nil }()
	if err := m.compute(tokens); err != nil {
		return nil, err
	}
	if r.err == nil && m.graph != nil && m.id != 0 && r.norms != len(m.sites) {
		r.err = fmt.Errorf("the graph of %d tokens has %d norms, and that of the first ones had %d", len(tokens), r.norms, len(m.sites))
	}
	if r.err != nil {
		return nil, r.err
	}
	m.pos += len(tokens)
	rows := m.lib.logits(m.context)
	if rows == nil {
		return nil, errors.New("llama.cpp has no logits")
	}
	return append([]float32(nil), unsafe.Slice(rows, len(tokens)*m.vocab)...), nil
}

// compute runs llama_decode on tokens of which all logits are wanted. Their
// positions follow those before them.
func (m *Model) compute(tokens []int32) error {
	ids := append([]int32(nil), tokens...)
	wanted := []byte(strings.Repeat("\x01", len(tokens)))
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&ids[0])
	pin.Pin(&wanted[0])
	// n_tokens, token, embd, pos, n_seq_id, seq_id, logits
	batch := struct {
		n                      uintptr
		token                  *int32
		embd, pos, nSeq, seqID uintptr
		logits                 *byte
	}{n: uintptr(len(tokens)), token: &ids[0], logits: &wanted[0]}
	var status uint64 // libffi widens results to its word
	because()
	m.lib.decode.call(unsafe.Pointer(&status), unsafe.Pointer(&m.context), unsafe.Pointer(&batch))
	if m.run.err != nil {
		return m.run.err
	}
	if int32(status) != 0 {
		return fmt.Errorf("llama_decode returned %d%s", int32(status), because())
	}
	m.lib.synchronize(m.context)
	return nil
}
