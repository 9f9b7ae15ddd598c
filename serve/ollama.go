package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/tokenizer"
)

// ollamaAPI is the version of Ollama whose API this is
// (https://docs.ollama.com/api). Clients refuse versions that are too old.
const ollamaAPI = "0.12.0"

// ollamaOptions are the options of a request.
type ollamaOptions struct {
	Temperature      *float64        `json:"temperature"`
	TopK             *int            `json:"top_k"`
	TopP             *float64        `json:"top_p"`
	MinP             float64         `json:"min_p"`
	Seed             *int64          `json:"seed"`
	Stop             json.RawMessage `json:"stop"`
	Max              *int            `json:"num_predict"` // negative: as many as there is room for
	RepeatPenalty    float64         `json:"repeat_penalty"`
	PresencePenalty  float64         `json:"presence_penalty"`
	FrequencyPenalty float64         `json:"frequency_penalty"`
}

// ollamaRequest is one of /api/chat and /api/generate.
type ollamaRequest struct {
	Model    string            `json:"model"`
	Messages []json.RawMessage `json:"messages"` // of a chat
	Tools    json.RawMessage   `json:"tools"`
	Prompt   string            `json:"prompt"` // to generate from
	System   string            `json:"system"`
	Raw      bool              `json:"raw"` // the prompt is the whole text
	Stream   *bool             `json:"stream"`
	Think    *bool             `json:"think"`
	Options  ollamaOptions     `json:"options"`

	Format   json.RawMessage   `json:"format"`
	Suffix   string            `json:"suffix"`
	Template string            `json:"template"`
	Images   []json.RawMessage `json:"images"`
}

// ollamaAnswer is an answer, or a part of one in a stream.
type ollamaAnswer struct {
	Model    string       `json:"model"`
	Created  time.Time    `json:"created_at"`
	Message  *chatMessage `json:"message,omitempty"`
	Response *string      `json:"response,omitempty"`
	Done     bool         `json:"done"`
	Reason   string       `json:"done_reason,omitempty"`
	Total    int64        `json:"total_duration,omitempty"` // in nanoseconds, as those below
	Load     int64        `json:"load_duration,omitempty"`
	Prompt   int          `json:"prompt_eval_count,omitempty"`
	PromptNS int64        `json:"prompt_eval_duration,omitempty"`
	Count    int          `json:"eval_count,omitempty"`
	CountNS  int64        `json:"eval_duration,omitempty"`
}

// request makes one of OpenAI's API, with Ollama's defaults.
func (o *ollamaRequest) request() (*chatRequest, error) {
	if f := string(o.Format); f != "" && f != `""` && f != "null" {
		return nil, badRequest("format", "format %.40s is not supported", o.Format)
	}
	switch {
	case o.Suffix != "":
		return nil, badRequest("suffix", "suffix is not supported")
	case o.Template != "":
		return nil, badRequest("template", "template is not supported; the model has its own")
	case len(o.Images) > 0:
		return nil, badRequest("images", "images are not supported")
	}
	for i, m := range o.Messages {
		var with struct{ Images []json.RawMessage }
		if json.Unmarshal(m, &with) == nil && len(with.Images) > 0 {
			return nil, badRequest("messages", "messages[%d] has images, which are not supported", i)
		}
	}
	temperature, topK, topP := 0.8, 40, 0.9
	c := &chatRequest{Messages: o.Messages, Tools: o.Tools}
	c.sampling = sampling{Model: o.Model, Temperature: &temperature, TopK: topK, TopP: &topP, MinP: o.Options.MinP, Seed: o.Options.Seed, Stop: o.Options.Stop,
		RepeatPenalty: o.Options.RepeatPenalty, PresencePenalty: o.Options.PresencePenalty, FrequencyPenalty: o.Options.FrequencyPenalty}
	if o.Options.Temperature != nil {
		c.Temperature = o.Options.Temperature
	}
	if o.Options.TopK != nil {
		c.TopK = *o.Options.TopK
	}
	if o.Options.TopP != nil {
		c.TopP = o.Options.TopP
	}
	if n := o.Options.Max; n != nil && *n >= 0 {
		c.MaxTokens = n
	}
	if o.Think != nil {
		c.Kwargs = map[string]json.RawMessage{"enable_thinking": json.RawMessage(map[bool]string{true: "true", false: "false"}[*o.Think])}
	}
	return c, nil
}

func (s *Server) ollamaChat(w http.ResponseWriter, r *http.Request) error {
	var o ollamaRequest
	if err := read(r, &o); err != nil {
		return err
	}
	if len(o.Messages) == 0 {
		return s.ollamaLoad(w, r, &o, ollamaAnswer{Message: &chatMessage{Role: "assistant"}})
	}
	c, err := o.request()
	if err != nil {
		return err
	}
	j, v, err := s.chatJob(r.Context(), c)
	if err != nil {
		return err
	}
	return s.ollamaRun(w, r, &o, j, v, func(text string) ollamaAnswer {
		return ollamaAnswer{Message: &chatMessage{Role: "assistant", Content: text}}
	})
}

func (s *Server) ollamaGenerate(w http.ResponseWriter, r *http.Request) error {
	var o ollamaRequest
	if err := read(r, &o); err != nil {
		return err
	}
	answer := func(text string) ollamaAnswer { return ollamaAnswer{Response: &text} }
	if o.Prompt == "" {
		return s.ollamaLoad(w, r, &o, answer(""))
	}
	o.Messages = nil
	c, err := o.request()
	if err != nil {
		return err
	}
	ctx := r.Context()
	if s.o.Template != nil && !o.Raw {
		for _, m := range []chatMessage{{"system", o.System}, {"user", o.Prompt}} {
			b, err := json.Marshal(m)
			if err != nil {
				return err
			}
			if m.Content != "" {
				c.Messages = append(c.Messages, b)
			}
		}
		j, v, err := s.chatJob(ctx, c)
		if err != nil {
			return err
		}
		return s.ollamaRun(w, r, &o, j, v, answer)
	}
	v, err := s.named(ctx, o.Model)
	if err != nil {
		return err
	}
	j, err := s.job(v.model, &c.sampling)
	if err != nil {
		return err
	}
	if c.MaxTokens != nil {
		j.max = *c.MaxTokens
	}
	if j.prompt, err = s.encode(ctx, o.Prompt, tokenizer.EncodeOptions{AddSpecial: true, ParseSpecial: true, Continued: true}); err != nil {
		return err
	}
	return s.ollamaRun(w, r, &o, j, v, answer)
}

// ollamaLoad answers a request without a text, which asks for a model to be loaded.
func (s *Server) ollamaLoad(w http.ResponseWriter, r *http.Request, o *ollamaRequest, a ollamaAnswer) error {
	v, err := s.named(r.Context(), o.Model)
	if err != nil {
		return err
	}
	a.Model, a.Created, a.Done, a.Reason = v.name, time.Now().UTC(), true, "load"
	return write(w, a)
}

// ollamaRun makes a text and answers with it, by pieces unless the request says otherwise.
func (s *Server) ollamaRun(w http.ResponseWriter, r *http.Request, o *ollamaRequest, j *job, v *variant, part func(text string) ollamaAnswer) error {
	begun := time.Now()
	var first time.Time
	var text strings.Builder
	stream := o.Stream == nil || *o.Stream
	fill := func(a ollamaAnswer) ollamaAnswer {
		a.Model, a.Created = v.name, time.Now().UTC()
		return a
	}
	e, err := s.run(r.Context(), j, func([]engine.Score) error { return nil }, func(p piece) error {
		if first.IsZero() {
			first = time.Now()
		}
		if !stream {
			text.WriteString(p.text)
			return nil
		}
		if p.text == "" {
			return nil
		}
		return w.(*answer).event(fill(part(p.text)))
	})
	if err != nil {
		return err
	}
	end := time.Now()
	if first.IsZero() {
		first = end
	}
	last := fill(part(text.String()))
	last.Done, last.Reason, last.Prompt, last.Count = true, e.reason, len(j.prompt), e.tokens
	last.Total, last.PromptNS, last.CountNS = int64(end.Sub(begun)), int64(first.Sub(begun)), int64(end.Sub(first))
	if stream {
		return w.(*answer).event(last)
	}
	return write(w, last)
}

func (s *Server) ollamaVersion(w http.ResponseWriter, _ *http.Request) error {
	return write(w, map[string]string{"version": ollamaAPI})
}

// ollamaDetails describe a model.
func (s *Server) ollamaDetails() map[string]any {
	family := s.o.Model.Arch.Spec.Name
	size, unit := float64(arch.Parameters(s.o.Model.File)), ""
	for _, u := range []string{"K", "M", "B"} {
		if size >= 1000 {
			size, unit = size/1000, u
		}
	}
	bytes, most := map[string]int{}, "" // of each type; the one with most
	for _, t := range s.o.Model.File.Tensors {
		name := t.Type.String()
		if bytes[name] += t.Size(); bytes[name] > bytes[most] {
			most = name
		}
	}
	return map[string]any{"parent_model": "", "format": "gguf", "family": family, "families": []string{family},
		"parameter_size": fmt.Sprintf("%.1f%s", size, unit), "quantization_level": most}
}

// ollamaTags lists the variants, as models.
func (s *Server) ollamaTags(w http.ResponseWriter, _ *http.Request) error {
	list := []map[string]any{}
	for _, name := range s.names {
		list = append(list, map[string]any{"name": name, "model": name, "modified_at": s.begun.UTC(), "expires_at": s.begun.UTC().AddDate(100, 0, 0),
			"size": s.o.Model.File.DataBytes(), "size_vram": 0, "digest": "", "details": s.ollamaDetails()})
	}
	return write(w, map[string]any{"models": list})
}

func (s *Server) ollamaShow(w http.ResponseWriter, r *http.Request) error {
	var o struct{ Model, Name string }
	if err := read(r, &o); err != nil {
		return err
	}
	if o.Model == "" { // as older clients send it
		o.Model = o.Name
	}
	v, err := s.named(r.Context(), o.Model)
	if err != nil {
		return err
	}
	can := []string{"completion"}
	if v.model.Arch.Spec.Encoder {
		can = []string{"embedding"}
	}
	template := ""
	if s.tokErr == nil {
		template = s.tok.ChatTemplate("")
	}
	info := map[string]any{} // the metadata of the file, less lists and long texts
	for _, kv := range v.model.File.Meta.All() {
		text, _ := kv.Value.(string)
		if b, err := json.Marshal(kv.Value); reflect.ValueOf(kv.Value).Kind() != reflect.Slice && len(text) <= 256 && err == nil {
			info[kv.Key] = json.RawMessage(b) // not so a number that JSON cannot write
		}
	}
	return write(w, map[string]any{"modelfile": "", "parameters": "", "license": "", "template": template, "details": s.ollamaDetails(),
		"capabilities": can, "modified_at": s.begun.UTC(), "model_info": info})
}

func (s *Server) ollamaEmbed(w http.ResponseWriter, r *http.Request) error {
	var o struct {
		Model string          `json:"model"`
		Input json.RawMessage `json:"input"`
	}
	if err := read(r, &o); err != nil {
		return err
	}
	begun := time.Now()
	v, vectors, tokens, err := s.embed(r.Context(), o.Model, o.Input)
	if err != nil {
		return err
	}
	return write(w, map[string]any{"model": v.name, "embeddings": vectors, "total_duration": time.Since(begun), "prompt_eval_count": tokens})
}
