// Package llamacpp swaps and measures norms inside an unmodified llama.cpp.
//
// llama.cpp shows every tensor of its graph to a function of the program that
// runs it (llama_context_params.cb_eval). A [Model] uses it to read what a norm
// reads, to put something else in the place of what it computes, and to show
// both to a tap: on any architecture and any device that llama.cpp has. It needs
// llama.cpp's shared libraries, and libffi; no C compiler and no cgo.
//
//	lib, err := llamacpp.Load("/usr/lib")
//	m, err := lib.Open("model.gguf", llamacpp.Options{Context: 512})
//	swap, err := m.Swap("rms-naive")
//	logits, err := m.Eval(ctx, tokens, swap)
//
// Its [Site]s have the names of package arch, so that results stand beside those
// of package engine.
package llamacpp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/jupiterrider/ffi"
)

// Env names the folder of llama.cpp's libraries where a program is given none.
const Env = "LLAMA_CPP_LIB"

// A Library is llama.cpp, loaded. A process has one.
type Library struct {
	dir string
	op  struct{ norm, rmsNorm, mul, add int32 } // values of enum ggml_op

	modelParams, contextParams, loadModel, newContext, decode function

	opName    func(op int32) string
	opDesc    func(t *tensor) string
	elements  func(t *tensor) int64
	data      func(t *tensor) unsafe.Pointer
	tensorGet func(t *tensor, to unsafe.Pointer, offset, size uintptr)
	tensorSet func(t *tensor, from unsafe.Pointer, offset, size uintptr)

	vocab       func(model uintptr) uintptr
	vocabSize   func(vocab uintptr) int32
	tokenize    func(vocab uintptr, text unsafe.Pointer, bytes int32, tokens unsafe.Pointer, room int32, special, parse bool) int32
	trained     func(model uintptr) int32
	memory      func(context uintptr) uintptr
	clear       func(memory uintptr, data bool)
	synchronize func(context uintptr)
	logits      func(context uintptr) *float32
	freeContext func(context uintptr)
	freeModel   func(model uintptr)
}

// Only one llama.cpp can be loaded: its symbols are global.
var loaded struct {
	sync.Mutex
	lib *Library
}

// Load loads the libraries in a folder: libggml-base, libggml and libllama, with
// or without a version in their names, and the back ends beside them. An empty
// name stands for the folder that the variable Env names.
func Load(dir string) (*Library, error) {
	if dir == "" {
		if dir = os.Getenv(Env); dir == "" {
			return nil, fmt.Errorf("llamacpp: no folder of llama.cpp's libraries, and %s is not set", Env)
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("llamacpp: %w", err)
	}
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.lib != nil {
		if loaded.lib.dir != dir {
			return nil, fmt.Errorf("llamacpp: %s: this process has loaded llama.cpp from %s", dir, loaded.lib.dir)
		}
		return loaded.lib, nil
	}
	l := &Library{dir: dir}
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("llamacpp: %w", err)
	}
	loaded.lib = l
	return l, nil
}

func (l *Library) load() error {
	var llama uintptr
	for _, name := range []string{"libggml-base", "libggml", "libllama"} {
		path, err := find(l.dir, name)
		if err != nil {
			return err
		}
		if llama, err = purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL); err != nil {
			return err
		}
	}
	// Symbols of the other two are found through libllama, which needs them.
	if err := l.bind(llama); err != nil {
		return err
	}
	if err := l.findOps(); err != nil {
		return err
	}
	var setLog func(f, user uintptr)
	var loadBackends func(dir string)
	var start func()
	for name, f := range map[string]any{"llama_log_set": &setLog, "ggml_backend_load_all_from_path": &loadBackends, "llama_backend_init": &start} {
		if err := register(llama, name, f); err != nil {
			return err
		}
	}
	setLog(purego.NewCallback(logged), 0)
	loadBackends(l.dir)
	start()
	return nil
}

// find returns the path of a library: NAME.so where it was built by hand,
// NAME.so.0 in distributions, NAME.v0.5.0.so in node-llama-cpp.
func find(dir, name string) (string, error) {
	for _, pattern := range []string{".so", ".dylib", ".so.[0-9]*", ".v[0-9]*.so", ".[0-9]*.dylib", ".v[0-9]*.dylib"} {
		found, err := filepath.Glob(filepath.Join(dir, name+pattern))
		if err != nil {
			return "", err
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	return "", fmt.Errorf("no %s in %s", name, dir)
}

func (l *Library) bind(llama uintptr) error {
	for name, f := range map[string]any{
		"ggml_op_name": &l.opName, "ggml_op_desc": &l.opDesc, "ggml_nelements": &l.elements, "ggml_get_data": &l.data,
		"ggml_backend_tensor_get": &l.tensorGet, "ggml_backend_tensor_set": &l.tensorSet,
		"llama_model_get_vocab": &l.vocab, "llama_vocab_n_tokens": &l.vocabSize, "llama_tokenize": &l.tokenize,
		"llama_model_n_ctx_train": &l.trained, "llama_get_memory": &l.memory, "llama_memory_clear": &l.clear,
		"llama_synchronize": &l.synchronize, "llama_get_logits": &l.logits, "llama_free": &l.freeContext, "llama_model_free": &l.freeModel,
	} {
		if err := register(llama, name, f); err != nil {
			return err
		}
	}
	params, batch, pointer := structOf(paramWords/2), structOf(batchWords), &ffi.TypePointer
	for _, f := range []struct {
		to     *function
		name   string
		result *ffi.Type
		args   []*ffi.Type
	}{
		{&l.modelParams, "llama_model_default_params", params, nil},
		{&l.contextParams, "llama_context_default_params", params, nil},
		{&l.loadModel, "llama_model_load_from_file", pointer, []*ffi.Type{pointer, params}},
		{&l.newContext, "llama_init_from_model", pointer, []*ffi.Type{pointer, params}},
		{&l.decode, "llama_decode", &ffi.TypeSint32, []*ffi.Type{pointer, batch}},
	} {
		address, err := symbol(llama, f.name)
		if err != nil {
			return err
		}
		f.to.address = address
		if s := ffi.PrepCif(&f.to.cif, ffi.DefaultAbi, uint32(len(f.args)), f.result, f.args...); s != ffi.OK {
			return fmt.Errorf("libffi cannot call %s: %v", f.name, s)
		}
	}
	return nil
}

func register(lib uintptr, name string, f any) error {
	address, err := symbol(lib, name)
	if err == nil {
		purego.RegisterFunc(f, address)
	}
	return err
}

func symbol(lib uintptr, name string) (uintptr, error) {
	address, err := purego.Dlsym(lib, name)
	if err != nil {
		return 0, fmt.Errorf("this llama.cpp has no function %s", name)
	}
	return address, nil
}

// findOps finds the values of enum ggml_op by their names: they differ between
// versions.
func (l *Library) findOps() error {
	want := map[string]*int32{"NORM": &l.op.norm, "RMS_NORM": &l.op.rmsNorm, "MUL": &l.op.mul, "ADD": &l.op.add}
	found := 0
	for op := range int32(64) { // all of these are among the first; there are more than 64 in every version
		if p := want[l.opName(op)]; p != nil {
			*p = op
			found++
		}
	}
	if found != len(want) {
		return errors.New("this llama.cpp has no operations NORM, RMS_NORM, MUL and ADD")
	}
	return nil
}

// A function takes or returns a struct by value, which needs libffi.
type function struct {
	address uintptr
	cif     ffi.Cif
}

func (f *function) call(result unsafe.Pointer, args ...unsafe.Pointer) {
	ffi.Call(&f.cif, f.address, result, args...)
}

// structOf is a struct of n words of 64 bits.
func structOf(n int) *ffi.Type {
	words := make([]*ffi.Type, n)
	for i := range words {
		words[i] = &ffi.TypeUint64
	}
	t := ffi.NewType(words...)
	return &t
}

// The last error that llama.cpp reported, which its functions do not return.
var lastError struct {
	sync.Mutex
	text string
}

const logLevelError = 4 // GGML_LOG_LEVEL_ERROR

// logged is a ggml_log_callback: errors are kept for the caller, the rest is not
// wanted.
func logged(level int32, text *byte, _ uintptr) {
	if level == logLevelError {
		lastError.Lock()
		lastError.text = cString(text)
		lastError.Unlock()
	}
}

// because returns what llama.cpp said last, as the end of a sentence, and
// forgets it.
func because() string {
	lastError.Lock()
	defer lastError.Unlock()
	text := lastError.text
	lastError.text = ""
	if text == "" {
		return ""
	}
	return ": " + text
}

// cString reads a string of C's, without the end of its line.
func cString(p *byte) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	for n > 0 && *(*byte)(unsafe.Add(unsafe.Pointer(p), n-1)) == '\n' {
		n--
	}
	return string(unsafe.Slice(p, n))
}
