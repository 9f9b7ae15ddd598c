package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/normswap/normswap/engine"
)

// An apiError is an error in OpenAI's shape.
type apiError struct {
	Status  int    `json:"-"`
	Message string `json:"message"`
	Type    string `json:"type"`
	Param   any    `json:"param"`
	Code    any    `json:"code"`
}

func (e *apiError) Error() string { return e.Message }

// badRequest is the error about a field of a request.
func badRequest(field, format string, args ...any) error {
	e := &apiError{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
	if field != "" {
		e.Param = field
	}
	return e
}

// asAPI makes an error one of the API.
func (s *Server) asAPI(err error) *apiError {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{Status: http.StatusInternalServerError, Message: strings.TrimPrefix(err.Error(), "engine: ")}
		var long *engine.TooLongError
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			e.Status, e.Message = http.StatusGatewayTimeout, "the request took longer than this server allows"
		case errors.Is(err, context.Canceled), errors.Is(err, engine.ErrClosed):
			e.Status, e.Message = http.StatusServiceUnavailable, "the request was cancelled"
		case errors.Is(err, engine.ErrMemory):
			e.Status = http.StatusServiceUnavailable
		case errors.Is(err, engine.ErrEncoder), errors.Is(err, engine.ErrNoScores), errors.As(err, &long):
			e.Status = http.StatusBadRequest
		}
	}
	if e.Type == "" {
		e.Type = "server_error"
		if e.Status < 500 {
			e.Type = "invalid_request_error"
		}
	}
	return e
}

// An answer knows whether it has begun.
type answer struct {
	http.ResponseWriter
	status int
	stream bool // of events
	ollama bool // errors have Ollama's shape, and a stream is one of lines
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// fail writes an error: as the answer, or as the last event of a stream.
func (a *answer) fail(e *apiError) {
	body := map[string]any{"error": e}
	if a.ollama {
		body["error"] = e.Message
	}
	switch {
	case a.stream:
		_ = a.event(body)
	case a.status == 0:
		b, err := json.Marshal(body)
		if err != nil {
			b = []byte(`{"error":{"message":"an error that cannot be written"}}`)
		}
		a.Header().Set("Content-Type", "application/json")
		a.WriteHeader(e.Status)
		_, _ = a.Write(append(b, '\n'))
	}
}

// event sends v as one part of a stream: an event, or a line for Ollama's clients.
func (a *answer) event(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.data(b)
}

// data sends the bytes of one part of a stream. It fails if the client does not read.
func (a *answer) data(b []byte) error {
	kind, format := "text/event-stream", "data: %s\n\n"
	if a.ollama {
		kind, format = "application/x-ndjson", "%s\n"
	}
	if !a.stream {
		a.stream = true
		a.Header().Set("Content-Type", kind)
		a.Header().Set("Cache-Control", "no-store")
	}
	c := http.NewResponseController(a.ResponseWriter)
	_ = c.SetWriteDeadline(time.Now().Add(writeTime)) // where there is none, writes may wait
	if _, err := fmt.Fprintf(a, format, b); err != nil {
		return context.Canceled
	}
	if err := c.Flush(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return context.Canceled
	}
	return nil
}
