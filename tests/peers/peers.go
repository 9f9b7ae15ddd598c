// Command sidebyside runs llama.cpp and infer in turn on the same files and
// prints what each does per second. The tests beside it check that their
// outputs agree. The script compare builds and starts everything.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// here is the folder of this file.
func here() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// programs is the folder of the programs that the script compare has compiled.
var programs = filepath.Join(here(), "build")

// A finished is what a program left behind.
type finished struct {
	stdout []byte
	peak   int64 // most resident memory it ever had, in bytes
}

// execute runs a program of that folder, with extra environment variables ("KEY=value"). A program that fails is an error that
// carries its last words.
func execute(name string, env []string, args ...string) (finished, error) {
	path := filepath.Join(programs, name)
	if _, err := os.Stat(path); err != nil {
		return finished{}, fmt.Errorf("no program %s: run tests/peers/compare --install", path)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return finished{}, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return finished{stdout.Bytes(), usage.Maxrss << 10}, nil
}

// peerLogits returns llama.cpp's logits, [tokens x vocabulary], computed as the
// reference files were: F32 cache, no flash attention, one batch; and the
// architecture it took the model for. An empty variant lets ggml choose the
// kernels for this CPU; "haswell" forces AVX2.
func peerLogits(model, variant string, tokens []int32) (logits []float32, architecture string, err error) {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	var env []string
	if variant != "" {
		env = []string{"PEER_CPU=" + variant}
	}
	out := filepath.Join(dir, "logits.f32")
	done, err := execute("peer", env, "logits", model, "--tokens", list(tokens), "--out", out)
	if err != nil {
		return nil, "", err
	}
	var said struct{ Architecture string }
	if err := json.Unmarshal(done.stdout, &said); err != nil {
		return nil, "", fmt.Errorf("peer logits: %w", err)
	}
	logits, err = readFloats(out)
	return logits, said.Architecture, err
}

// list is "3,8,13".
func list(tokens []int32) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(tokens)), ","), "[]")
}

// readFloats reads a file of little-endian float32.
func readFloats(path string) ([]float32, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(b)%4 != 0 {
		return nil, fmt.Errorf("%s: %d bytes are no whole number of float32", path, len(b))
	}
	f := make([]float32, len(b)/4)
	for i := range f {
		f[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return f, nil
}
