// Package serve answers requests by HTTP in the form of OpenAI's API. The name of
// a model chooses its norms: NAME, NAME:rms-folded, NAME:rms-naive.
package serve

import (
	"cmp"
	"context"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/quant"
	"github.com/normswap/normswap/tokenizer"
)

// Options say what a server serves. Model and Variant are needed.
type Options struct {
	Name    string // of the model
	Model   *engine.Model
	Variant func(context.Context, engine.NormMode) (*engine.Model, error) // loads the model with other norms
	Recipes []Recipe                                                      // more variants

	// Lookup and Draft guess tokens, GuessMax at once at most, as [engine.Speculation]
	// has it. The draft may be nil.
	Lookup   bool
	Draft    *engine.Model
	GuessMax int

	Template *chat.Template // of chats; nil: there are none
	Parallel int            // sessions at once; 0: 4
	Context  int            // positions of a session; 0: what the model was trained for, up to engine.DefaultContext
	KV       quant.Type     // of the cache
	Key      string         // that requests must have; "": none
	MaxBody  int64          // bytes of a request; 0: 8 MiB
	MaxTime  time.Duration  // of a request; 0: without bound
	Log      *slog.Logger   // nil: none
}

// A Server is a handler of requests. It is safe for concurrent use.
type Server struct {
	o        Options
	tok      *tokenizer.Tokenizer // or nil
	tokErr   error
	mux      *http.ServeMux
	begun    time.Time
	base     context.Context // of all requests
	stop     context.CancelFunc
	sessions *sessions
	drafts   drafts
	variants map[string]*variant
	names    []string // of the variants, in order
	metrics  metrics
}

// The bounds of a request.
const (
	defaultParallel = 4
	defaultBody     = 8 << 20
	maxChoices      = 128  // of a prompt
	maxPrompts      = 4096 // of a request, and texts to embed
	maxTop          = 20   // most likely tokens with each token
	maxRequests     = 1024 // in progress
	writeTime       = 30 * time.Second
)

//go:embed page.html
var page []byte

// New makes a server. The models stay the caller's.
func New(o Options) (*Server, error) {
	if o.Parallel == 0 {
		o.Parallel = defaultParallel
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultBody
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Parallel < 0 || o.Name == "" {
		return nil, fmt.Errorf("serve: a model named %q with %d sessions", o.Name, o.Parallel)
	}
	s := &Server{o: o, mux: http.NewServeMux(), begun: time.Now(), sessions: newSessions(o), variants: map[string]*variant{}}
	s.tok, s.tokErr = o.Model.Tokenizer()
	s.base, s.stop = context.WithCancel(context.Background())
	if err := s.addVariants(); err != nil {
		return nil, err
	}
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'")
		_, _ = w.Write(page)
	})
	for pattern, f := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /health":               s.health,
		"GET /metrics":              s.writeMetrics,
		"GET /v1/models":            s.models,
		"GET /v1/models/{model...}": s.model,
		"GET /tokenizer_info":       s.tokenizerInfo,
		"POST /tokenize":            s.tokenize,
		"POST /detokenize":          s.detokenize,
		"POST /v1/completions":      s.completions,
		"POST /v1/chat/completions": s.chat,
		"POST /v1/embeddings":       s.embeddings,
		"POST /v1/rerank":           s.rerank,
		"POST /v1/score":            s.score,
		"GET /api/version":          s.ollamaVersion,
		"GET /api/tags":             s.ollamaTags,
		"GET /api/ps":               s.ollamaTags,
		"POST /api/show":            s.ollamaShow,
		"POST /api/generate":        s.ollamaGenerate,
		"POST /api/chat":            s.ollamaChat,
		"POST /api/embed":           s.ollamaEmbed,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		handler := s.handle(path, f)
		s.mux.HandleFunc(pattern, handler)
		if short, ok := strings.CutPrefix(path, "/v1"); ok { // for a base URL without it
			s.mux.HandleFunc(method+" "+short, handler)
		}
	}
	s.mux.HandleFunc("/", s.handle("other", notFound))
	return s, nil
}

// Close cancels the requests in progress.
func (s *Server) Close() { s.stop() }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// handle makes a handler of f: with a key, bounds, metrics and a line of log.
func (s *Server) handle(path string, f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		ctx, cancel := context.WithCancel(r.Context())
		if s.o.MaxTime > 0 {
			ctx, cancel = context.WithTimeout(r.Context(), s.o.MaxTime)
		}
		defer cancel()
		defer context.AfterFunc(s.base, cancel)()
		r.Body = http.MaxBytesReader(w, r.Body, s.o.MaxBody)
		answer := &answer{ResponseWriter: w, ollama: strings.HasPrefix(r.URL.Path, "/api/")}
		if s.crossOrigin(w, r) {
			return
		}
		inProgress := s.metrics.begin()
		var err error
		switch {
		case path != "/health" && !s.allowed(r):
			err = &apiError{Status: http.StatusUnauthorized, Message: "the key is missing or wrong; send it as Authorization: Bearer KEY", Code: "invalid_api_key"}
		case inProgress > maxRequests:
			err = &apiError{Status: http.StatusServiceUnavailable, Message: "too many requests are in progress; try again later"}
		default:
			err = f(answer, r.WithContext(ctx))
		}
		if err != nil {
			answer.fail(s.asAPI(err))
		}
		status := answer.status
		if status == 0 {
			status = http.StatusOK
		}
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			status = 499 // the client has gone, as nginx calls it
		}
		s.metrics.end(path, status)
		s.o.Log.Info("request", "method", r.Method, "path", r.URL.Path, "status", status, "seconds", time.Since(begun).Seconds(), "error", errText(err))
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// notFound says what is there instead.
func notFound(_ http.ResponseWriter, r *http.Request) error {
	hint := ""
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/responses"):
		hint = "; POST /v1/chat/completions is"
	case strings.HasPrefix(path, "/api/"):
		hint = "; of Ollama's API there are chat, generate, embed, tags, show, ps and version, and the model is that of the command line"
	case r.Method != http.MethodPost && (strings.HasSuffix(path, "/completions") || strings.HasSuffix(path, "/embeddings")):
		hint = "; it takes POST"
	}
	return &apiError{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no %s %.200s here%s", r.Method, r.URL.Path, hint)}
}

// crossOrigin lets pages of this machine use the server: chat programs that run in
// a browser. It reports whether the request was the browser's question for that.
func (s *Server) crossOrigin(w http.ResponseWriter, r *http.Request) (asked bool) {
	origin := r.Header.Get("Origin")
	u, err := url.Parse(origin)
	if err != nil || origin == "" {
		return false
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Add("Vary", "Origin")
	if r.Method != http.MethodOptions {
		return false
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
	w.Header().Set("Access-Control-Allow-Headers", cmp.Or(r.Header.Get("Access-Control-Request-Headers"), "Authorization, Content-Type"))
	w.WriteHeader(http.StatusNoContent)
	return true
}

// allowed reports whether a request has the key.
func (s *Server) allowed(r *http.Request) bool {
	key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return s.o.Key == "" || subtle.ConstantTimeCompare([]byte(key), []byte(s.o.Key)) == 1
}

// read decodes the body of a request.
func read(r *http.Request, to any) error {
	d := json.NewDecoder(r.Body)
	if err := d.Decode(to); err != nil {
		var large *http.MaxBytesError
		var typ *json.UnmarshalTypeError
		switch {
		case errors.As(err, &large):
			return &apiError{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the request has more than %d bytes", large.Limit)}
		case errors.As(err, &typ):
			return badRequest(typ.Field, "%s is a JSON %s, which it cannot be", typ.Field, typ.Value)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return badRequest("", "the request ends in the middle of its JSON")
		}
		return badRequest("", "the request is no JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest("", "the request goes on behind its JSON object")
	}
	return nil
}

func write(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n')) // a client that has gone is no failure
	return nil
}
