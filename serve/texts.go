package serve

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"slices"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/tokenizer"
)

func (s *Server) tokenizerInfo(w http.ResponseWriter, _ *http.Request) error {
	if s.tokErr != nil {
		return &apiError{Status: http.StatusNotFound, Message: "the model has no tokenizer"}
	}
	info := map[string]any{"eos_token": nil, "bos_token": nil, "chat_template": nil}
	if id, ok := s.tok.EOS(); ok {
		info["eos_token"] = s.tok.Piece(id)
	}
	if id, ok := s.tok.BOS(); ok {
		info["bos_token"] = s.tok.Piece(id)
	}
	if t := s.tok.ChatTemplate(""); t != "" {
		info["chat_template"] = t
	}
	return write(w, info)
}

func (s *Server) tokenize(w http.ResponseWriter, r *http.Request) error {
	var o struct {
		Prompt     string `json:"prompt"`
		AddSpecial *bool  `json:"add_special_tokens"`
	}
	if err := read(r, &o); err != nil {
		return err
	}
	ids, err := s.encode(r.Context(), o.Prompt, tokenizer.EncodeOptions{
		AddSpecial: o.AddSpecial == nil || *o.AddSpecial, ParseSpecial: true, Continued: !s.o.Model.Arch.Spec.Encoder,
	})
	if err != nil {
		return err
	}
	return write(w, map[string]any{"tokens": append([]int32{}, ids...), "count": len(ids), "max_model_len": s.o.Model.Context()})
}

func (s *Server) detokenize(w http.ResponseWriter, r *http.Request) error {
	var o struct {
		Tokens []int32 `json:"tokens"`
	}
	if err := read(r, &o); err != nil {
		return err
	}
	if s.tokErr != nil {
		return badRequest("", "the model has no tokenizer")
	}
	return write(w, map[string]string{"prompt": s.tok.Decode(o.Tokens)})
}

type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

func (s *Server) embeddings(w http.ResponseWriter, r *http.Request) error {
	var o struct {
		Model      string          `json:"model"`
		Input      json.RawMessage `json:"input"`
		Format     string          `json:"encoding_format"`
		Dimensions *int            `json:"dimensions"`
	}
	if err := read(r, &o); err != nil {
		return err
	}
	switch dim := s.o.Model.Arch.Dim; {
	case o.Dimensions != nil && *o.Dimensions != dim:
		return badRequest("dimensions", "dimensions is %d, the model has %d and no others", *o.Dimensions, dim)
	case o.Format != "" && o.Format != "float" && o.Format != "base64":
		return badRequest("encoding_format", "encoding_format is %.40q, want float or base64", o.Format)
	}
	v, vectors, tokens, err := s.embed(r.Context(), o.Model, o.Input)
	if err != nil {
		return err
	}
	list := make([]embedding, len(vectors))
	for i, x := range vectors {
		list[i] = embedding{"embedding", i, x}
		if o.Format == "base64" {
			var b []byte
			for _, f := range x {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
			}
			list[i].Embedding = base64.StdEncoding.EncodeToString(b)
		}
	}
	return write(w, map[string]any{"object": "list", "model": v.name, "data": list, "usage": map[string]int{"prompt_tokens": tokens, "total_tokens": tokens}})
}

// embed returns a vector of length 1 for each text of an input, and how many
// tokens there were.
func (s *Server) embed(ctx context.Context, model string, input json.RawMessage) (v *variant, vectors [][]float32, tokens int, err error) {
	if v, err = s.named(ctx, model); err != nil {
		return nil, nil, 0, err
	}
	sequences, err := s.prompts(ctx, input, "input", tokenizer.EncodeOptions{AddSpecial: true})
	if err != nil {
		return nil, nil, 0, err
	}
	for i, ids := range sequences {
		if tokens += len(ids); len(ids) == 0 {
			return nil, nil, 0, badRequest("input", "input %d has no tokens", i)
		}
		for _, id := range ids {
			if id < 0 || int(id) >= v.model.Vocab() {
				return nil, nil, 0, badRequest("input", "token %d is not in the vocabulary of %d", id, v.model.Vocab())
			}
		}
	}
	pooling := v.model.Arch.Pooling
	if pooling == arch.PoolNone || pooling == arch.PoolRank { // one vector a text is wanted
		pooling = arch.PoolMean
	}
	if vectors, err = v.model.Embed(ctx, sequences, engine.EmbedOptions{Pooling: &pooling, Normalize: true}); err != nil {
		return nil, nil, 0, err
	}
	s.metrics.tokens(tokens, 0, 0, nil)
	return v, vectors, tokens, nil
}

type ranked struct {
	Index int     `json:"index"`
	Score float32 `json:"relevance_score"`
}

func (s *Server) rerank(w http.ResponseWriter, r *http.Request) error {
	var o struct {
		Model     string   `json:"model"`
		Query     string   `json:"query"`
		Documents []string `json:"documents"`
		TopN      *int     `json:"top_n"`
	}
	if err := read(r, &o); err != nil {
		return err
	}
	v, err := s.named(r.Context(), o.Model)
	if err != nil {
		return err
	}
	switch {
	case v.model.Arch.Scores() != 1:
		return badRequest("model", "the model gives %d scores; one is needed to put documents in order", v.model.Arch.Scores())
	case len(o.Documents) == 0 || len(o.Documents) > maxPrompts:
		return badRequest("documents", "%d documents, want 1 to %d", len(o.Documents), maxPrompts)
	}
	var sequences [][]int32
	for _, d := range o.Documents {
		ids, err := v.model.RankTokens(o.Query, d)
		if err != nil {
			return badRequest("documents", "%v", err)
		}
		sequences = append(sequences, ids)
	}
	rank := arch.PoolRank
	scores, err := v.model.Embed(r.Context(), sequences, engine.EmbedOptions{Pooling: &rank})
	if err != nil {
		return err
	}
	var list []ranked
	for i, x := range scores {
		list = append(list, ranked{i, x[0]})
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(b.Score, a.Score) })
	if o.TopN != nil && *o.TopN >= 0 {
		list = list[:min(*o.TopN, len(list))]
	}
	return write(w, map[string]any{"model": v.name, "results": list})
}

type scored struct {
	Index   int     `json:"index"`
	Logprob float64 `json:"logprob"`
	Tokens  int     `json:"tokens"`
	Greedy  bool    `json:"is_greedy"`
}

func (s *Server) score(w http.ResponseWriter, r *http.Request) error {
	var o struct {
		Model         string   `json:"model"`
		Context       string   `json:"context"`
		Continuations []string `json:"continuations"`
	}
	if err := read(r, &o); err != nil {
		return err
	}
	v, err := s.named(r.Context(), o.Model)
	if err != nil {
		return err
	}
	if len(o.Continuations) == 0 || len(o.Continuations) > maxPrompts {
		return badRequest("continuations", "%d continuations, want 1 to %d", len(o.Continuations), maxPrompts)
	}
	list := make([]scored, len(o.Continuations))
	for i, c := range o.Continuations {
		prefix, rest, err := v.model.ContinuationTokens(o.Context, c)
		switch {
		case err != nil:
			return badRequest("continuations", "%v", err)
		case len(prefix) == 0:
			return badRequest("context", "the context has no tokens")
		case len(rest) == 0:
			return badRequest("continuations", "continuation %d has no tokens", i)
		}
		session, _, err := s.sessions.take(r.Context(), v.model, prefix)
		if err != nil {
			return err
		}
		err = (&job{model: v.model, prompt: slices.Concat(prefix, rest)}).room(session)
		var got []engine.Continuation
		if err == nil {
			got, err = session.Score(r.Context(), prefix, [][]int32{rest})
		}
		s.sessions.put(session)
		if err != nil {
			return err
		}
		list[i] = scored{i, finite(got[0].Logprob), len(rest), got[0].Greedy}
	}
	return write(w, map[string]any{"object": "list", "model": v.name, "data": list})
}
