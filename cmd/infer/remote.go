package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/normswap/normswap/gguf"
)

func isURL(path string) bool {
	return strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://")
}

// openURL reads the header of a file of a web server that serves ranges.
func openURL(ctx context.Context, url string) (*gguf.File, error) {
	r := &ranges{ctx: ctx, url: url}
	size, err := r.size()
	if err == nil {
		var f *gguf.File
		if f, err = gguf.ReadHeader(r, size); err == nil {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", url, err)
}

// ranges reads a file of a web server.
type ranges struct {
	ctx context.Context
	url string
}

// get asks for n bytes from off on; the caller closes the answer's body.
func (r *ranges) get(off, n int64) (*http.Response, error) {
	ask, err := http.NewRequestWithContext(r.ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, err
	}
	ask.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusPartialContent {
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return nil, fmt.Errorf("the server gives no parts of files")
		}
		return nil, fmt.Errorf("the server answers %s", answer.Status)
	}
	return answer, nil
}

// size asks for the length of the file.
func (r *ranges) size() (int64, error) {
	answer, err := r.get(0, 1)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, total, _ := strings.Cut(answer.Header.Get("Content-Range"), "/")
	n, err := strconv.ParseInt(total, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the server does not say how long the file is: Content-Range %q", answer.Header.Get("Content-Range"))
	}
	return n, nil
}

// ReadAt reads a range.
func (r *ranges) ReadAt(p []byte, off int64) (int, error) {
	answer, err := r.get(off, int64(len(p)))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	return io.ReadFull(answer.Body, p)
}
