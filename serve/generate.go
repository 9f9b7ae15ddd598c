package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/tokenizer"
)

// sampling are the fields of a request that say how text is made.
type sampling struct {
	Model            string             `json:"model"`
	Temperature      *float64           `json:"temperature"`
	TopP             *float64           `json:"top_p"`
	MinP             float64            `json:"min_p"`
	TopK             int                `json:"top_k"`
	Seed             *int64             `json:"seed"`
	N                *int               `json:"n"`
	Stop             json.RawMessage    `json:"stop"`
	Stream           bool               `json:"stream"`
	PresencePenalty  float64            `json:"presence_penalty"`
	FrequencyPenalty float64            `json:"frequency_penalty"`
	RepeatPenalty    float64            `json:"repeat_penalty"`
	LogitBias        map[string]float64 `json:"logit_bias"`
	IgnoreEOS        bool               `json:"ignore_eos"`
	StreamOptions    struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

// A job is one text to be made.
type job struct {
	model    *engine.Model
	prompt   []int32
	max      int // tokens at most; -1: as many as there is room for
	sample   engine.SampleOptions
	stops    []string
	bias     map[int32]float32
	presence float32
	repeated float32
	forever  bool // an end of text does not end it
	top      int  // most likely tokens with each token; -1: no log-probabilities
	echo     bool // the prompt gets log-probabilities, and a token that ends the text an entry
}

// A piece is what one token adds to a text.
type piece struct {
	text  string // with what was held back before, less what may be a stop string
	token *engine.Score
	id    int32
}

// An ending says how a text ended.
type ending struct {
	reason string // stop or length
	tokens int
}

// job makes a job of the fields, without a prompt.
func (s *Server) job(m *engine.Model, o *sampling) (*job, error) {
	j := &job{model: m, max: -1, top: -1, forever: o.IgnoreEOS, presence: float32(o.PresencePenalty), repeated: float32(o.FrequencyPenalty)}
	j.sample = engine.SampleOptions{Temperature: 1, TopK: o.TopK, MinP: o.MinP, RepeatPenalty: o.RepeatPenalty, Seed: rand.Uint64()}
	if o.Temperature != nil {
		j.sample.Temperature = *o.Temperature
	}
	if o.TopP != nil {
		if j.sample.TopP = *o.TopP; *o.TopP == 0 {
			j.sample.TopK = 1
		}
	}
	if o.Seed != nil {
		j.sample.Seed = uint64(*o.Seed)
	}
	if err := j.sample.Check(); err != nil {
		return nil, badRequest("", "%s", strings.TrimPrefix(err.Error(), "engine: "))
	}
	for name, v := range map[string]float64{"presence_penalty": o.PresencePenalty, "frequency_penalty": o.FrequencyPenalty} {
		if math.Abs(v) > 2 {
			return nil, badRequest(name, "%s is %v, want a number from -2 to 2", name, v)
		}
	}
	for id, v := range o.LogitBias {
		n, err := strconv.Atoi(id)
		if err != nil || n < 0 || n >= m.Vocab() {
			return nil, badRequest("logit_bias", "logit_bias has %.40q, which is no token of this model", id)
		}
		if j.bias == nil {
			j.bias = map[int32]float32{}
		}
		j.bias[int32(n)] = float32(v)
	}
	if o.N != nil && (*o.N < 1 || *o.N > maxChoices) {
		return nil, badRequest("n", "n is %d, want a number from 1 to %d", *o.N, maxChoices)
	}
	var err error
	j.stops, err = stringOrList(o.Stop, "stop")
	return j, err
}

// stringOrList reads a field that is a string, a list of strings, or null.
func stringOrList(raw json.RawMessage, field string) (list []string, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, nil
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil, badRequest(field, "%s is neither a string nor a list of strings", field)
	}
	return list, nil
}

// encode returns the ids of a text.
func (s *Server) encode(ctx context.Context, text string, o tokenizer.EncodeOptions) ([]int32, error) {
	if s.tokErr != nil {
		return nil, badRequest("", "the model has no tokenizer, and takes token ids alone")
	}
	ids, err := s.tok.EncodeContext(ctx, text, o)
	if err != nil && ctx.Err() == nil {
		return nil, badRequest("", "%v", err)
	}
	return ids, err
}

// room checks a prompt against the context of a session.
func (j *job) room(s *engine.Session) error {
	if len(j.prompt) == 0 {
		return badRequest("prompt", "the prompt has no tokens")
	}
	for _, id := range j.prompt {
		if id < 0 || int(id) >= j.model.Vocab() {
			return badRequest("prompt", "token %d is not in the vocabulary of %d", id, j.model.Vocab())
		}
	}
	if len(j.prompt) > s.Max() {
		return &apiError{Status: 400, Param: "prompt", Code: "context_length_exceeded",
			Message: fmt.Sprintf("the prompt has %d tokens, and the context has room for %d", len(j.prompt), s.Max())}
	}
	return nil
}

// run makes a text. It calls begin with the scores of the prompt, where they are
// wanted, and then emit with each piece.
func (s *Server) run(ctx context.Context, j *job, begin func([]engine.Score) error, emit func(piece) error) (e ending, err error) {
	session, kept, err := s.sessions.take(ctx, j.model, j.prompt)
	if err != nil {
		return e, err
	}
	defer s.sessions.put(session)
	if err := j.room(session); err != nil {
		return e, err
	}
	guess, done, err := s.speculation(session)
	if err != nil {
		return e, err
	}
	defer func() {
		done()
		s.metrics.tokens(len(j.prompt), kept, e.tokens, guess)
	}()
	var scores []engine.Score
	if j.echo && j.top >= 0 {
		session.Truncate(0)
		kept = 0
		if scores, err = session.Logprobs(ctx, j.prompt, j.top); err != nil {
			return e, err
		}
	}
	if err := begin(scores); err != nil {
		return e, err
	}
	e.reason = "length"
	if j.max == 0 {
		return e, nil
	}
	counts := map[int32]int{}
	var logits []float32
	o := engine.GenerateOptions{Max: max(j.max, 0), IgnoreEOG: true, Sample: j.sample, Speculation: guess}
	o.Process = func(x []float32, _ []int32) {
		for id, v := range j.bias {
			x[id] += v
		}
		for id, n := range counts {
			x[id] -= j.presence + j.repeated*float32(n)
		}
		logits = x
	}
	stop := engine.NewStopText(j.stops...)
	var decoder *tokenizer.Decoder
	if s.tokErr == nil {
		decoder = s.tok.NewDecoder()
	}
	for id, err := range session.Generate(ctx, j.prompt, o) {
		if err != nil {
			return e, err
		}
		if j.presence != 0 || j.repeated != 0 {
			counts[id]++
		}
		p := piece{id: id}
		if j.top >= 0 {
			score := engine.ScoreOf(logits, id, j.top)
			p.token = &score
		}
		e.tokens++
		if s.tokErr == nil && s.tok.IsEOG(id) && !j.forever {
			e.reason = "stop"
			if j.echo && j.top >= 0 {
				err = emit(p)
			}
			if err != nil {
				return e, err
			}
			break
		}
		found := false
		if decoder != nil {
			p.text, found = stop.Push(decoder.Push(id))
		}
		if err := emit(p); err != nil {
			return e, err
		}
		if found {
			e.reason = "stop"
			return e, nil
		}
	}
	if decoder != nil {
		if rest := stop.Flush() + decoder.Flush(); rest != "" {
			return e, emit(piece{text: rest, id: -1})
		}
	}
	return e, nil
}
