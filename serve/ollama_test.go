package serve_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/serve"
)

// get sends a request as it is and returns its status, its type and its body.
func get(t *testing.T, h *httptest.Server, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(method, h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, a.Header, string(b)
}

// chatting serves the built-in model with a chat template.
func chatting(t *testing.T) *httptest.Server {
	t.Helper()
	template, err := chat.Named("chatml")
	if err != nil {
		t.Fatal(err)
	}
	h, _ := begin(t, "", serve.Options{Template: template})
	return h
}

type ollamaLine struct {
	Model    string
	Message  struct{ Role, Content string }
	Response string
	Done     bool
	Reason   string `json:"done_reason"`
	Prompt   int    `json:"prompt_eval_count"`
	Count    int    `json:"eval_count"`
	Total    int64  `json:"total_duration"`
}

// ollamaLines returns the lines of an answer.
func ollamaLines(t *testing.T, body string) (lines []ollamaLine) {
	t.Helper()
	for s := bufio.NewScanner(strings.NewReader(body)); s.Scan(); {
		var l ollamaLine
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("%v in %q", err, s.Text())
		}
		lines = append(lines, l)
	}
	return lines
}

// TestOllama: both APIs give one text, in a stream or at once.
func TestOllama(t *testing.T) {
	h := chatting(t)
	const user = `"messages": [{"role": "user", "content": "Tell me of a king."}]`
	want := object[completionChat](t, h, "/v1/chat/completions", `{`+user+`, "max_tokens": 9, "temperature": 0}`)
	for _, body := range []string{
		`{"model": "tales:latest", "stream": true, "options": {"num_predict": 9, "temperature": 0.0}, ` + user + `, "tools": []}`,
		`{"model": "tales", "stream": false, "options": {"num_predict": 9, "temperature": 0, "num_ctx": 2048, "repeat_penalty": null}, "format": "", "keep_alive": "5m", ` + user + `}`,
		`{` + user + `, "options": {"num_predict": 9, "temperature": 0}}`,
	} {
		status, header, answer := get(t, h, "POST", "/api/chat", body)
		lines := ollamaLines(t, answer)
		var text string
		for _, l := range lines {
			text += l.Message.Content
		}
		last := lines[len(lines)-1]
		if status != 200 || text != want.Choices[0].Message.Content || !last.Done || last.Reason != "length" || last.Count != 9 || last.Prompt != want.Usage.Prompt || last.Total <= 0 || last.Model != "tales" {
			t.Errorf("%s: %d %s; want %q", body, status, answer, want.Choices[0].Message.Content)
		}
		if streams := !strings.Contains(body, "false"); streams != (len(lines) > 1) || streams != (header.Get("Content-Type") == "application/x-ndjson") {
			t.Errorf("%s: %d lines of %s", body, len(lines), header.Get("Content-Type"))
		}
	}
	plain := object[completion](t, h, "/v1/completions", `{"prompt": "Once upon", "max_tokens": 5, "temperature": 0}`)
	for body, want := range map[string]string{
		`{"model": "tales", "prompt": "Once upon", "raw": true, "stream": false, "options": {"num_predict": 5, "temperature": 0}}`:          plain.Choices[0].Text,
		`{"model": "tales", "prompt": "Tell me of a king.", "stream": false, "options": {"num_predict": 9, "temperature": 0}}`:              want.Choices[0].Message.Content,
		`{"model": "tales", "prompt": "Tell me of a king.", "stream": true, "options": {"num_predict": 9, "temperature": 0}, "format": ""}`: want.Choices[0].Message.Content,
		`{"model": "tales"}`: "",
	} {
		status, _, answer := get(t, h, "POST", "/api/generate", body)
		var text string
		for _, l := range ollamaLines(t, answer) {
			text += l.Response
		}
		if status != 200 || text != want {
			t.Errorf("%s: %d %s; want %q", body, status, answer, want)
		}
	}
	var embedded struct{ Embeddings [][]float32 }
	_, _, answer := get(t, h, "POST", "/api/embed", `{"model": "tales", "input": ["a king", "a queen"]}`)
	if err := json.Unmarshal([]byte(answer), &embedded); err != nil || len(embedded.Embeddings) != 2 {
		t.Errorf("embed: %s, %v", answer, err)
	}
	for path, want := range map[string]string{"/api/tags": `"name":"tales:rms-naive"`, "/api/version": `"version"`, "/api/ps": `"models"`} {
		if status, _, answer := get(t, h, "GET", path, ""); status != 200 || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	if status, _, answer := get(t, h, "POST", "/api/show", `{"model": "tales:rms-naive:latest"}`); status != 200 || !strings.Contains(answer, `"capabilities":["completion"]`) || !strings.Contains(answer, `"parameter_size":"5.5M","parent_model":"","quantization_level":"Q8_0"`) || !strings.Contains(answer, `.context_length":`) || strings.Contains(answer, "tokens\":[") {
		t.Errorf("show: %d %s", status, answer)
	}
	if status, _, _ := get(t, h, "HEAD", "/", ""); status != 200 {
		t.Errorf("HEAD /: %d", status)
	}
	for _, c := range []struct {
		path, body, want string
		status           int
	}{
		{"/api/pull", `{"model": "llama3"}`, "of the command line", 404},
		{"/api/chat", `{"model": "llama3", ` + user + `}`, "tales:rms-naive", 404},
		{"/api/chat", `{"messages": [{"role": "user", "content": "x", "images": ["aGk="]}]}`, "messages[0] has images", 400},
		{"/api/generate", `{"prompt": "x", "format": "json"}`, "format", 400},
		{"/api/generate", `{"prompt": "x", "suffix": "y"}`, "suffix", 400},
		{"/api/generate", `{"prompt": "x", "options": {"top_k": -1}}`, "top-k", 400},
		{"/api/chat", `{`, "JSON", 400},
	} {
		status, _, answer := get(t, h, "POST", c.path, c.body)
		var e struct{ Error string }
		if err := json.Unmarshal([]byte(answer), &e); err != nil || status != c.status || !strings.Contains(e.Error, c.want) {
			t.Errorf("%s %s: %d %s", c.path, c.body, status, answer)
		}
	}
}

type completionChat struct {
	Choices []struct {
		Message struct{ Role, Content string }
		Reason  string `json:"finish_reason"`
	}
	Usage struct {
		Prompt int `json:"prompt_tokens"`
	}
}

// TestChatPrograms sends what chat programs send: requests of LangChain 1.2
// (langchain-openai, langchain-ollama) as a proxy recorded them, and of Open WebUI by
// its source.
func TestChatPrograms(t *testing.T) {
	h := chatting(t)
	const tools = `"tools":[{"type":"function","function":{"name":"add","description":"adds","parameters":{"properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"],"type":"object"}}}]`
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/v1/chat/completions", `{"model":"tales","stream":false,"messages":[{"content":"Say hello.","role":"user"}],"max_completion_tokens":8,"temperature":0.0}`, `"content":"`},
		{"POST", "/chat/completions", `{"model":"tales","stream":true,"messages":[{"content":"Say hello.","role":"user"}],"max_completion_tokens":8,"temperature":0.0}`, "data: [DONE]"},
		{"POST", "/v1/chat/completions", `{"model":"tales","stream":false,"messages":[{"content":"What is 2+2?","role":"user"}],"max_completion_tokens":8,"temperature":0.0,` + tools + `}`, `"content":"`},
		{"POST", "/v1/embeddings", `{"model":"tales","input":["a king"],"encoding_format":"base64"}`, `"embedding":"`},
		{"POST", "/api/chat", `{"model":"tales","stream":true,"options":{"num_predict":8,"temperature":0.0},"messages":[{"role":"user","content":"Say hello."}],"tools":[]}`, `"done":true`},
		{"POST", "/api/generate", `{"model":"tales:latest","stream":true,"options":{"num_predict":5},"format":"","prompt":"Once upon"}`, `"done":true`},
		{"POST", "/api/embed", `{"model":"tales","input":["a king"],"options":{"mirostat":null,"num_ctx":null,"num_gpu":null,"repeat_penalty":null,"temperature":null,"stop":null,"tfs_z":null,"top_k":null}}`, `"embeddings":[[`},
		{"GET", "/v1/models", "", `"id":"tales:rms-folded"`},
		{"GET", "/models", "", `"id":"tales:rms-folded"`},
		{"GET", "/v1/models/tales:rms-folded", "", `"id":"tales:rms-folded"`},
		{"POST", "/v1/chat/completions", `{"stream": true, "model": "tales", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "stream_options": {"include_usage": true}, "max_tokens": 4, "user": "x", "metadata": {}}`, `"usage":{`},
	} {
		status, _, answer := get(t, h, c.method, c.path, c.body, "Authorization", "Bearer anything", "Accept", "application/json")
		if status != 200 || !strings.Contains(answer, c.want) {
			t.Errorf("%s %s: %d %s", c.path, c.body, status, answer)
		}
	}
}

// TestOrigins: pages of this machine may use the server, those of others may not.
func TestOrigins(t *testing.T) {
	h := chatting(t)
	for origin, allowed := range map[string]bool{"http://localhost:3000": true, "http://127.0.0.1": true, "http://[::1]:5": true, "https://example.com": false, "http://localhost.example.com": false, "null": false, "%": false} {
		for _, method := range []string{"OPTIONS", "GET"} {
			status, header, _ := get(t, h, method, "/v1/models", "", "Origin", origin, "Access-Control-Request-Headers", "authorization,x-stainless-os")
			if got := header.Get("Access-Control-Allow-Origin"); (got == origin) != allowed || got != "" && !allowed {
				t.Errorf("%s %s: allowed %q", method, origin, got)
			}
			if method == "OPTIONS" && allowed && (status != 204 || !strings.Contains(header.Get("Access-Control-Allow-Headers"), "x-stainless-os")) {
				t.Errorf("%s: %d, %v", origin, status, header)
			}
		}
	}
}

// TestUnsupported: what would change the answer and cannot be done is refused by its name.
func TestUnsupported(t *testing.T) {
	h := chatting(t)
	const user = `"messages": [{"role": "user", "content": "x"}], `
	for field, body := range map[string]string{
		"tool_choice":           user + `"tool_choice": "required"`,
		"functions":             user + `"functions": []`,
		"audio":                 user + `"audio": {"voice": "x"}`,
		"modalities":            user + `"modalities": ["text", "audio"]`,
		"web_search_options":    user + `"web_search_options": {}`,
		"response_format":       user + `"response_format": {"type": "json_schema"}`,
		"max_completion_tokens": user + `"max_completion_tokens": -1`,
		"n":                     user + `"n": 0`,
	} {
		status, _, answer := get(t, h, "POST", "/v1/chat/completions", "{"+body+"}")
		var e struct {
			Error struct{ Message, Type, Param string }
		}
		if err := json.Unmarshal([]byte(answer), &e); err != nil || status != 400 || e.Error.Param != field || e.Error.Type != "invalid_request_error" || !strings.Contains(e.Error.Message, field[:1]) {
			t.Errorf("%s: %d %s", field, status, answer)
		}
	}
	for path, want := range map[string]string{"/v1/responses": "/v1/chat/completions is", "/v1/images": "there is no"} {
		if status, _, answer := get(t, h, "POST", path, "{}"); status != 404 || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	if status, _, answer := get(t, h, "GET", "/v1/chat/completions", ""); status != 404 || !strings.Contains(answer, "POST") {
		t.Errorf("GET: %d %s", status, answer)
	}
}
