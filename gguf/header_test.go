package gguf

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
)

// A remote is a file of a web server.
type remote struct {
	url  string
	read int
}

func (r *remote) ReadAt(p []byte, off int64) (int, error) {
	ask, err := http.NewRequest(http.MethodGet, r.url, nil)
	if err != nil {
		return 0, err
	}
	ask.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1))
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	n, err := io.ReadFull(answer.Body, p)
	r.read += n
	return n, err
}

// The header of a file behind HTTP is that of the file, and its data stay there.
func TestReadHeader(t *testing.T) {
	for _, name := range []string{"archs/gpt2.gguf", "trained/stories260K-F32.gguf", "quantized/gpt2-256-Q4_K_M.gguf"} {
		path := testdata.Path(t, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		// Data that nobody asks for.
		size := int64(len(b)) + 1<<30
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "model.gguf", time.Time{}, io.NewSectionReader(padded{b}, 0, size))
		}))
		defer server.Close()
		src := &remote{url: server.URL}
		got, err := ReadHeader(src, size)
		if err != nil {
			t.Fatal(err)
		}
		if src.read > 4*firstRead {
			t.Errorf("%s: %d bytes were read", name, src.read)
		}
		if !reflect.DeepEqual(got.Meta, want.Meta) || got.Version != want.Version || got.Alignment != want.Alignment || len(got.Tensors) != len(want.Tensors) {
			t.Errorf("%s: another header", name)
		}
		for i, w := range want.Tensors {
			g := got.Tensors[i]
			if g.Data != nil || g.Size() != len(w.Data) || w.Size() != len(w.Data) || g.Name != w.Name || g.Offset != w.Offset || !reflect.DeepEqual(g.Dims, w.Dims) {
				t.Errorf("%s: %+v", name, g)
			}
		}
		if _, err := got.Tensors[0].Float32s(); err == nil {
			t.Error("values without data")
		}
	}
}

// padded are bytes with zeros behind them.
type padded struct{ b []byte }

func (p padded) ReadAt(b []byte, off int64) (int, error) {
	clear(b)
	if off < int64(len(p.b)) {
		copy(b, p.b[off:])
	}
	return len(b), nil
}

func TestReadHeaderErrors(t *testing.T) {
	whole := testdata.Read(t, "archs/gpt2.gguf")
	for _, c := range []struct {
		b    []byte
		size int64
		want string
	}{
		{whole, int64(len(whole)) - 1, "beyond the end of the file"},
		{whole[:100], 100, "more tensors than"},
		{whole[:100], int64(len(whole)), "EOF"},
		{[]byte("GGML"), 4, "not a GGUF file"},
		{nil, 0, "file ends within"},
		{nil, -1, "-1 bytes"},
	} {
		if _, err := ReadHeader(bytes.NewReader(c.b), c.size); err == nil || !strings.HasPrefix(err.Error(), "gguf: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d of %d bytes: %v, want %s", len(c.b), c.size, err, c.want)
		}
	}
}
