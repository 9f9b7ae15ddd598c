package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestMeasure holds the figures of a server that streams at once, and refuses one that
// makes other tokens than were asked for.
func TestMeasure(t *testing.T) {
	var asked atomic.Int32
	made := *tokens
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, "data: {\"choices\":[{\"text\":\"\"}]}\n\ndata: {\"choices\":[{\"text\":\"a\"}]}\n\n")
		fmt.Fprintf(w, "data: {\"choices\":[],\"usage\":{\"completion_tokens\":%d}}\n\ndata: [DONE]\n\n", made)
	}))
	defer server.Close()
	r, err := measure(server.URL, 4)
	if err != nil || int(asked.Load()) != 4**requests || r[0] <= 0 || r[1] <= 0 || r[2] < r[1] {
		t.Error(r, asked.Load(), err)
	}
	made--
	if _, err := measure(server.URL, 1); err == nil || !strings.Contains(err.Error(), "31 tokens in place of 32") {
		t.Error(err)
	}
}

func TestMedian(t *testing.T) {
	if m := median([][3]float64{{0, 5}, {0, 1}, {0, 3}, {0, 4}}, 1); m != 3.5 {
		t.Error(m)
	}
}
