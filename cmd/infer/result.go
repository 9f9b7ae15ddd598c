package main

import (
	"fmt"
	"strings"
)

// A result is what came of one prompt.
type result struct {
	Prompt          string  `json:"prompt"`
	Text            string  `json:"text"` // what follows the prompt
	Tokens          []int32 `json:"tokens"`
	PromptTokens    int     `json:"prompt_tokens"`
	KeptTokens      int     `json:"kept_tokens"` // of the prompt, there from before
	GeneratedTokens int     `json:"generated_tokens"`
	Guessed         int     `json:"guessed_tokens,omitempty"`  // by --lookup or --model-draft
	Accepted        int     `json:"accepted_tokens,omitempty"` // of those
	Stop            string  `json:"stop"`                      // end, limit (-n), context, enough or interrupt
	Seed            *uint64 `json:"seed,omitempty"`            // nil: greedy
	Threads         int     `json:"threads"`
	LoadSeconds     float64 `json:"load_seconds"`
	PrefillSeconds  float64 `json:"prefill_seconds"` // until the first token is drawn
	DecodeSeconds   float64 `json:"decode_seconds"`  // for all tokens but the first
	PrefillRate     float64 `json:"prefill_tokens_per_second"`
	DecodeRate      float64 `json:"decode_tokens_per_second"`
}

// finish fills in what follows from the tokens and the times.
func (r *result) finish(text string, g *generator) {
	r.Text = text
	r.GeneratedTokens = len(r.Tokens)
	s := g.session
	if g.guesses != nil {
		r.Guessed, r.Accepted = g.guesses.Guessed, g.guesses.Accepted
		g.guesses.Guessed, g.guesses.Accepted = 0, 0
	}
	switch {
	case r.Stop != "end":
	case r.GeneratedTokens == g.limit:
		r.Stop = "limit"
	case s.Len() == s.Max() && r.PromptTokens+r.GeneratedTokens > s.Max(): // the last token has no place
		r.Stop = "context"
	}
	if r.PrefillSeconds > 0 {
		r.PrefillRate = float64(r.PromptTokens-r.KeptTokens) / r.PrefillSeconds
	}
	if r.DecodeSeconds > 0 {
		r.DecodeRate = float64(max(r.GeneratedTokens-1, 0)) / r.DecodeSeconds
	}
}

// String is the line of timing.
func (r *result) String() string {
	var parts []string
	if r.LoadSeconds > 0 {
		parts = append(parts, "load "+durationText(r.LoadSeconds))
	}
	parts = append(parts,
		fmt.Sprintf("prefill %d at %s/s", r.PromptTokens-r.KeptTokens, threeDigits(r.PrefillRate)),
		fmt.Sprintf("decode %d at %s tokens/s", r.GeneratedTokens, threeDigits(r.DecodeRate)))
	if r.Guessed > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d guesses right", r.Accepted, r.Guessed))
	}
	switch r.Stop {
	case "limit":
		parts = append(parts, "stopped by -n")
	case "context":
		parts = append(parts, "the context is full")
	case "interrupt":
		parts = append(parts, "interrupted")
	}
	if r.Seed != nil {
		parts = append(parts, fmt.Sprintf("--seed %d", *r.Seed))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// provenance says of what a result is, and how it was measured.
type provenance struct {
	Kind        string `json:"kind"`
	Version     string `json:"version"` // of the program
	Model       string `json:"model"`
	ModelSum    string `json:"model_sha256"`
	Arch        string `json:"architecture"`
	Norm        string `json:"norm"`
	Text        string `json:"text"`
	IDs         string `json:"text_sha256"` // of the token ids
	Activations string `json:"activations"`
}
