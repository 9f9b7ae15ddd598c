package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A task without a terminal notes now and then how far it has come.
func TestProgressLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	defer func(s *console, every time.Duration) { stderr, lineEvery = s, every }(stderr, lineEvery)
	stderr, lineEvery = &console{file: log}, time.Millisecond
	b := newBar("measuring", 8, "tokens")
	b.add(2)
	for want := []byte("measuring: 25 %, 2 of 8 tokens in "); ; time.Sleep(time.Millisecond) {
		if got, err := os.ReadFile(path); err != nil || bytes.Count(got, want) > 1 {
			break
		}
	}
	b.done()

	for _, c := range []struct {
		total, n int64
		unit     string
		want     string
	}{
		{8, 2, "tokens", "t: 25 %, 2 of 8 tokens in 1m0s, about 3m0s left"},
		{-1, 2, "tokens", "t: 2 tokens in 1m0s"},
		{8, 0, "tokens", "t: 0 tokens in 1m0s"},
		{8 << 20, 2 << 20, bytesUnit, "t: 25 %, 2 of 8 MiB in 1m0s, about 3m0s left"},
	} {
		b := &bar{what: "t", unit: c.unit, total: c.total}
		b.add(c.n)
		if got := b.state(time.Minute); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
