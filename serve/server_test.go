package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/quant"
	"github.com/normswap/normswap/serve"
)

// begin serves a model, the built-in one if path is empty.
func begin(t *testing.T, path string, o serve.Options) (*httptest.Server, *engine.Model) {
	t.Helper()
	m, err := func() (*engine.Model, error) {
		if path != "" {
			return engine.Open(t.Context(), testdata.Path(t, path), engine.Options{Threads: 2})
		}
		f, err := tales.Open()
		if err != nil {
			return nil, err
		}
		return engine.Load(t.Context(), f, engine.Options{Threads: 2, FloatActivations: true})
	}()
	if err != nil {
		t.Fatal(err)
	}
	o.Name, o.Model, o.KV = "tales", m, quant.F32
	if o.Draft == fromModel {
		o.Draft = m
	}
	o.Variant = func(ctx context.Context, norm engine.NormMode) (*engine.Model, error) {
		return m.Variant(ctx, engine.Options{Threads: 2, FloatActivations: true, Norm: norm})
	}
	s, err := serve.New(o)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		h.Close()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return h, m
}

// fromModel stands for the model that is served.
var fromModel = new(engine.Model)

// post sends a request and returns its status and body.
func post(t testing.TB, h *httptest.Server, path, body string) (int, []byte) {
	t.Helper()
	r, err := http.Post(h.URL+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, b
}

// object posts and decodes an answer that must be right.
func object[T any](t testing.TB, h *httptest.Server, path, body string) (v T) {
	t.Helper()
	status, b := post(t, h, path, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", path, body, status, b)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

type completion struct {
	Model   string
	Choices []struct {
		Index    int
		Text     string
		Logprobs *struct {
			Tokens        []string
			TokenLogprobs []*float64           `json:"token_logprobs"`
			TopLogprobs   []map[string]float64 `json:"top_logprobs"`
			TextOffset    []int                `json:"text_offset"`
		}
		Reason *string `json:"finish_reason"`
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	}
}

// events posts and returns the texts of the choices of a stream.
func events(t *testing.T, h *httptest.Server, path, body string, n int) []string {
	t.Helper()
	r, err := http.Post(h.URL+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	texts, done := make([]string, n), false
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if done = data == "[DONE]"; !ok || done {
			continue
		}
		var c struct {
			Choices []struct {
				Index int
				Text  string
				Delta struct{ Content string }
			}
		}
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Fatal(err)
		}
		for _, x := range c.Choices {
			texts[x.Index] += x.Text + x.Delta.Content
		}
	}
	return texts
}

const king = "Once upon a time there was a king who had three"

// TestHarness is the contract that lm-evaluation-harness reads, with lists of ids.
func TestHarness(t *testing.T) {
	h, _ := begin(t, "", serve.Options{})
	ids := func(text string) []int32 {
		b, _ := json.Marshal(map[string]any{"prompt": text, "add_special_tokens": false})
		return object[struct{ Tokens []int32 }](t, h, "/tokenize", string(b)).Tokens
	}
	prefix, whole := ids(king), ids(king+" daughters")
	sums := map[string]float64{}
	for _, name := range []string{"tales", "tales:rms-folded", "tales:rms-naive"} {
		body, _ := json.Marshal(map[string]any{"model": name, "prompt": [][]int32{whole, whole[:3], {5}}, "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": true})
		got := object[completion](t, h, "/v1/completions", string(body))
		for i, want := range []int{len(whole) + 1, 4, 2} {
			l := got.Choices[i].Logprobs
			if got.Choices[i].Index != i || len(l.Tokens) != want || len(l.TokenLogprobs) != want || len(l.TopLogprobs) != want || len(l.TextOffset) != want {
				t.Fatalf("%s: choice %d has %d entries, want %d", name, i, len(l.Tokens), want)
			}
			if l.TokenLogprobs[0] != nil || l.TopLogprobs[0] != nil {
				t.Error("the first token has a log-probability")
			}
			for k := 1; k < want; k++ {
				for text, v := range l.TopLogprobs[k] {
					if len(l.TopLogprobs[k]) != 1 || v < *l.TokenLogprobs[k] || text == l.Tokens[k] && v != *l.TokenLogprobs[k] {
						t.Errorf("%s: entry %d: %v, %g", name, k, l.TopLogprobs[k], *l.TokenLogprobs[k])
					}
				}
			}
		}
		l := got.Choices[0].Logprobs
		for _, v := range l.TokenLogprobs[len(prefix) : len(l.TokenLogprobs)-1] {
			sums[name] += *v
		}
		scored := object[struct{ Data []struct{ Logprob float64 } }](t, h, "/v1/score", fmt.Sprintf(`{"model": %q, "context": %q, "continuations": [" daughters"]}`, name, king))
		if d := scored.Data[0].Logprob - sums[name]; d > 1e-4 || d < -1e-4 {
			t.Errorf("%s: the score is %g, the log-probabilities add up to %g", name, scored.Data[0].Logprob, sums[name])
		}
	}
	near := func(a, b float64) bool { return a-b < 2e-6 && b-a < 2e-6 }
	if native := sums["tales"]; !near(native, -1.287206) || !near(native, sums["tales:rms-folded"]) || near(native, sums["tales:rms-naive"]) {
		t.Errorf("log-likelihoods %v, want -1.287206 native and folded, and another naive", sums)
	}
	if got := object[struct{ Prompt string }](t, h, "/detokenize", fmt.Sprintf(`{"tokens": %s}`, strings.ReplaceAll(fmt.Sprint(whole), " ", ","))).Prompt; got != king+" daughters" {
		t.Errorf("detokenized %q", got)
	}
}

// TestStreams: a stream has the text of the answer in one piece, stop strings
// included, and the same seed gives the same text.
func TestStreams(t *testing.T) {
	tmpl, err := chat.Named("chatml")
	if err != nil {
		t.Fatal(err)
	}
	h, _ := begin(t, "", serve.Options{Template: tmpl})
	body := fmt.Sprintf(`{"prompt": %q, "max_tokens": 24, "temperature": 0.9, "seed": 7, "n": 3, "stop": [" and", "\n"]`, king)
	whole := object[completion](t, h, "/v1/completions", body+"}")
	streamed := events(t, h, "/v1/completions", body+`, "stream": true}`, 3)
	for i, c := range whole.Choices {
		if c.Text != streamed[i] || strings.Contains(c.Text, " and") || c.Reason == nil {
			t.Errorf("choice %d: %q, streamed %q", i, c.Text, streamed[i])
		}
	}
	if whole.Choices[0].Text == whole.Choices[1].Text {
		t.Error("two choices are one text")
	}
	body = `{"messages": [{"role": "user", "content": [{"type": "text", "text": "A tale!"}]}], "max_tokens": 12, "temperature": 0`
	answer := object[struct {
		Choices []struct {
			Message struct{ Role, Content string }
		}
	}](t, h, "/v1/chat/completions", body+"}")
	if got := events(t, h, "/v1/chat/completions", body+`, "stream": true}`, 1)[0]; got == "" || got != answer.Choices[0].Message.Content {
		t.Errorf("chat: %q, streamed %q", answer.Choices[0].Message.Content, got)
	}
}

// TestRefused: what cannot be answered gets one message that names it.
func TestRefused(t *testing.T) {
	h, _ := begin(t, "", serve.Options{MaxBody: 4096})
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/v1/completions", `{`, 400, "ends in the middle"},
		{"/v1/completions", `{} {}`, 400, "goes on"},
		{"/v1/completions", `{"prompt": 1.5}`, 400, "prompt"},
		{"/v1/completions", `{"prompt": [1, 99999999]}`, 400, "99999999"},
		{"/v1/completions", `{"prompt": [-1]}`, 400, "-1"},
		{"/v1/completions", `{}`, 400, "prompt is missing"},
		{"/v1/completions", `{"prompt": "a", "model": "gpt-4"}`, 404, "gpt-4"},
		{"/v1/completions", `{"prompt": "a", "n": 0}`, 400, "n is 0"},
		{"/v1/completions", `{"prompt": "a", "temperature": -1}`, 400, "temperature"},
		{"/v1/completions", `{"prompt": "a", "temperature": "hot"}`, 400, "temperature"},
		{"/v1/completions", `{"prompt": "a", "logprobs": 99}`, 400, "logprobs"},
		{"/v1/completions", `{"prompt": "a", "suffix": "b"}`, 400, "suffix"},
		{"/v1/completions", `{"prompt": "a", "stop": 7}`, 400, "stop"},
		{"/v1/completions", `{"prompt": "a", "logit_bias": {"x": 1}}`, 400, "logit_bias"},
		{"/v1/completions", `{"prompt": "` + strings.Repeat("a ", 4096) + `"}`, 413, "4096"},
		{"/v1/completions", `{"prompt": [` + strings.Repeat("1,", 1500) + `1]}`, 400, "1501"},
		{"/v1/chat/completions", `{"messages": [{"role": "user", "content": "a"}]}`, 400, "template"},
		{"/v1/rerank", `{"query": "a", "documents": ["b"]}`, 400, "scores"},
		{"/v1/embeddings", `{"input": "a", "dimensions": 3}`, 400, "dimensions"},
		{"/v1/score", `{"context": "a", "continuations": []}`, 400, "continuations"},
		{"/v1/images", `{}`, 404, "/v1/images"},
	} {
		status, b := post(t, h, c.path, c.body)
		var e struct {
			Error *struct{ Message, Type string }
		}
		if err := json.Unmarshal(b, &e); err != nil || e.Error == nil || status != c.status || !strings.Contains(e.Error.Message, c.want) || e.Error.Type == "" {
			t.Errorf("%s %.60s: %d %s, want %d and %q", c.path, c.body, status, b, c.status, c.want)
		}
	}
}

// TestKey: without the key there is health alone, and the page that asks for it.
func TestKey(t *testing.T) {
	h, _ := begin(t, "", serve.Options{Key: "secret"})
	for path, want := range map[string]int{"/health": 200, "/": 200, "/v1/models": 401, "/metrics": 401} {
		for key, want := range map[string]int{"": want, "wrong": want, "secret": 200} {
			r, _ := http.NewRequest(http.MethodGet, h.URL+path, nil)
			r.Header.Set("Authorization", "Bearer "+key)
			a, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			a.Body.Close()
			if a.StatusCode != want {
				t.Errorf("%s with the key %q: %d, want %d", path, key, a.StatusCode, want)
			}
		}
	}
}

// TestEmbeddings are those of the engine, as numbers and as base64.
func TestEmbeddings(t *testing.T) {
	h, m := begin(t, "", serve.Options{})
	got := object[struct {
		Data []struct{ Embedding []float32 }
	}](t, h, "/v1/embeddings", `{"input": ["a king", "a queen"]}`)
	if len(got.Data) != 2 || len(got.Data[1].Embedding) != m.Arch.Dim {
		t.Errorf("%d embeddings", len(got.Data))
	}
	base64 := object[struct{ Data []struct{ Embedding string } }](t, h, "/v1/embeddings", `{"input": "a king", "encoding_format": "base64"}`)
	if n := len(base64.Data[0].Embedding); n != (m.Arch.Dim*4+2)/3*4 {
		t.Errorf("%d characters of base64", n)
	}
}

// TestModels lists the norms that change something.
func TestModels(t *testing.T) {
	for path, want := range map[string][]string{"": {"tales", "tales:rms-folded", "tales:rms-naive"}, "archs/llama.gguf": {"tales", "tales:layer"}} {
		h, _ := begin(t, path, serve.Options{})
		r, err := http.Get(h.URL + "/v1/models")
		if err != nil {
			t.Fatal(err)
		}
		var list struct{ Data []struct{ ID string } }
		err = json.NewDecoder(r.Body).Decode(&list)
		r.Body.Close()
		var names []string
		for _, m := range list.Data {
			names = append(names, m.ID)
		}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("%q: %v (%v), want %v", path, names, err, want)
		}
	}
}
