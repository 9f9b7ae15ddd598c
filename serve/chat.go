package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/engine"
)

type chatRequest struct {
	sampling
	Messages            []json.RawMessage          `json:"messages"`
	Tools               json.RawMessage            `json:"tools"`
	Documents           json.RawMessage            `json:"documents"`
	Kwargs              map[string]json.RawMessage `json:"chat_template_kwargs"`
	MaxTokens           *int                       `json:"max_tokens"`
	MaxCompletionTokens *int                       `json:"max_completion_tokens"`
	Logprobs            bool                       `json:"logprobs"`
	TopLogprobs         int                        `json:"top_logprobs"`
	Functions           json.RawMessage            `json:"functions"`
	ToolChoice          json.RawMessage            `json:"tool_choice"`
	Audio               json.RawMessage            `json:"audio"`
	Modalities          []string                   `json:"modalities"`
	WebSearch           json.RawMessage            `json:"web_search_options"`
	ResponseFormat      *struct {
		Type string `json:"type"`
	} `json:"response_format"`
}

// unsupported refuses what would change the answer and cannot be done.
func (o *chatRequest) unsupported() error {
	given := func(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }
	switch {
	case o.ResponseFormat != nil && o.ResponseFormat.Type != "" && o.ResponseFormat.Type != "text":
		return badRequest("response_format", "response_format %.40q is not supported", o.ResponseFormat.Type)
	case given(o.Functions):
		return badRequest("functions", "functions is not supported; tools is what came after it")
	case given(o.ToolChoice) && string(o.ToolChoice) != `"auto"` && string(o.ToolChoice) != `"none"`:
		return badRequest("tool_choice", "tool_choice %.80s is not supported, auto and none are", o.ToolChoice)
	case given(o.Audio):
		return badRequest("audio", "audio is not supported")
	case given(o.WebSearch):
		return badRequest("web_search_options", "web_search_options is not supported")
	}
	for _, m := range o.Modalities {
		if m != "text" {
			return badRequest("modalities", "the modality %.40q is not supported, text is", m)
		}
	}
	if string(o.ToolChoice) == `"none"` {
		o.Tools = nil
	}
	return nil
}

type chatMessage struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content"`
}

type chatLogprob struct {
	Token   string        `json:"token"`
	Logprob float64       `json:"logprob"`
	Bytes   []int         `json:"bytes"`
	Top     []chatLogprob `json:"top_logprobs,omitempty"`
}

type chatLogprobs struct {
	Content []chatLogprob `json:"content"`
}

type chatChoice struct {
	Index    int           `json:"index"`
	Message  *chatMessage  `json:"message,omitempty"`
	Delta    *chatMessage  `json:"delta,omitempty"`
	Logprobs *chatLogprobs `json:"logprobs"`
	Reason   *string       `json:"finish_reason"`
}

type chatAnswer = completionOf[chatChoice]

// conversation makes the variables of the template.
func (o *chatRequest) conversation() (*chat.Conversation, error) {
	for i, m := range o.Messages {
		flat, err := flatten(m)
		if err != nil {
			return nil, badRequest("messages", "messages[%d] %v", i, err)
		}
		o.Messages[i] = flat
	}
	vars := map[string]any{}
	for name, v := range o.Kwargs {
		vars[name] = v
	}
	vars["messages"] = o.Messages
	if len(o.Tools) > 0 {
		vars["tools"] = o.Tools
	}
	if len(o.Documents) > 0 {
		vars["documents"] = o.Documents
	}
	b, err := json.Marshal(vars)
	if err != nil {
		return nil, err
	}
	c, err := chat.ParseConversation(b)
	if err != nil {
		return nil, badRequest("messages", "%s", strings.TrimPrefix(err.Error(), "chat: "))
	}
	return c, nil
}

// flatten makes one string of a content that is a list of texts.
func flatten(message json.RawMessage) (json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(message, &m); err != nil || m == nil {
		return nil, fmt.Errorf("is no object")
	}
	var parts []struct{ Type, Text string }
	if json.Unmarshal(m["content"], &parts) != nil || parts == nil {
		return message, nil
	}
	var text strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return nil, fmt.Errorf("has a part of type %.40q; only text is supported", p.Type)
		}
		text.WriteString(p.Text)
	}
	content, err := json.Marshal(text.String())
	if err != nil {
		return nil, err
	}
	m["content"] = content
	return json.Marshal(m)
}

// logprob is the newer form of a score.
func (s *Server) logprob(score *engine.Score) chatLogprob {
	one := func(l engine.Logprob) chatLogprob {
		c := chatLogprob{Token: s.piece(l.ID), Logprob: finite(l.Logprob)}
		for _, b := range []byte(c.Token) {
			c.Bytes = append(c.Bytes, int(b))
		}
		return c
	}
	c := one(score.Logprob)
	for _, t := range score.Top {
		c.Top = append(c.Top, one(t))
	}
	return c
}

// chatJob makes a job of a request: its prompt is what the template makes of the messages.
func (s *Server) chatJob(ctx context.Context, o *chatRequest) (*job, *variant, error) {
	switch {
	case s.o.Template == nil:
		return nil, nil, badRequest("model", "the model has no chat template; use /v1/completions, or give the server one with --chat-template")
	case len(o.Messages) == 0:
		return nil, nil, badRequest("messages", "messages is missing or empty")
	case o.TopLogprobs < 0 || o.TopLogprobs > maxTop:
		return nil, nil, badRequest("top_logprobs", "top_logprobs is %d, want a number from 0 to %d", o.TopLogprobs, maxTop)
	}
	if err := o.unsupported(); err != nil {
		return nil, nil, err
	}
	v, err := s.named(ctx, o.Model)
	if err != nil {
		return nil, nil, err
	}
	j, err := s.job(v.model, &o.sampling)
	if err != nil {
		return nil, nil, err
	}
	for name, n := range map[string]*int{"max_tokens": o.MaxTokens, "max_completion_tokens": o.MaxCompletionTokens} {
		if n != nil {
			if j.max = *n; j.max < 0 {
				return nil, nil, badRequest(name, "%s is %d, want 0 or more", name, *n)
			}
		}
	}
	if o.Logprobs {
		j.top = o.TopLogprobs
	}
	conversation, err := o.conversation()
	if err != nil {
		return nil, nil, err
	}
	pieces, err := s.o.Template.Render(ctx, conversation, chat.Options{Tokenizer: s.tok})
	if err == nil {
		j.prompt, err = chat.Encode(ctx, s.tok, pieces)
	}
	if err != nil && ctx.Err() == nil {
		err = badRequest("messages", "%s", strings.TrimPrefix(err.Error(), "chat: "))
	}
	return j, v, err
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) error {
	var o chatRequest
	if err := read(r, &o); err != nil {
		return err
	}
	ctx := r.Context()
	base, v, err := s.chatJob(ctx, &o)
	if err != nil {
		return err
	}
	n := 1
	if o.N != nil {
		n = *o.N
	}
	all := chatAnswer{ID: newID("chatcmpl"), Object: "chat.completion", Created: time.Now().Unix(), Model: v.name, Choices: make([]chatChoice, n)}
	if o.Stream {
		all.Object = "chat.completion.chunk"
	}
	send := func(choice chatChoice) error {
		part := all
		part.Choices = []chatChoice{choice}
		return w.(*answer).event(part)
	}
	generated, err := s.each(ctx, n, func(ctx context.Context, i int, locked func(func() error) error) (ending, error) {
		j := *base
		j.sample.Seed += uint64(i)
		choice := &all.Choices[i]
		*choice = chatChoice{Index: i, Message: &chatMessage{Role: "assistant"}}
		if o.Logprobs {
			choice.Logprobs = &chatLogprobs{Content: []chatLogprob{}}
		}
		begin := func([]engine.Score) error {
			if !o.Stream {
				return nil
			}
			return locked(func() error { return send(chatChoice{Index: i, Delta: &chatMessage{Role: "assistant"}}) })
		}
		e, err := s.run(ctx, &j, begin, func(p piece) error {
			if !o.Stream {
				choice.Message.Content += p.text
				if p.token != nil {
					choice.Logprobs.Content = append(choice.Logprobs.Content, s.logprob(p.token))
				}
				return nil
			}
			part := chatChoice{Index: i, Delta: &chatMessage{Content: p.text}}
			if p.token != nil {
				part.Logprobs = &chatLogprobs{[]chatLogprob{s.logprob(p.token)}}
			} else if p.text == "" {
				return nil
			}
			return locked(func() error { return send(part) })
		})
		if err != nil {
			return e, err
		}
		choice.Reason = &e.reason
		if o.Stream {
			return e, locked(func() error { return send(chatChoice{Index: i, Delta: &chatMessage{}, Reason: &e.reason}) })
		}
		return e, nil
	})
	if err != nil {
		return err
	}
	all.Usage = &usage{len(base.prompt), generated, len(base.prompt) + generated}
	if !o.Stream {
		return write(w, all)
	}
	all.Choices = []chatChoice{}
	return finishStream(w.(*answer), o.StreamOptions.IncludeUsage, all)
}
