package geometry

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/normswap/normswap/internal/plain"
)

// StateSchema marks the JSON of a State.
const StateSchema = "normswap.geometry.state/3"

// State is everything a collector has seen: lossless in JSON, and mergeable with
// the states of other runs over other parts of the same text.
type State struct {
	Model Model
	Origin

	top       int // length of the lists of extremes
	sites     []*siteState
	tokenText map[int32]string
}

// stateJSON is a State in JSON.
type stateJSON struct {
	Schema string `json:"schema"`
	Model  Model  `json:"model"`
	Origin
	Top       int              `json:"top"`
	Sites     []*siteState     `json:"sites"`
	TokenText map[int32]string `json:"token_text,omitempty"`
}

// MarshalJSON writes what ReadState reads.
func (s *State) MarshalJSON() ([]byte, error) {
	return json.Marshal(stateJSON{StateSchema, s.Model, s.Origin, s.top, s.sites, s.tokenText})
}

// Settings are what figures depend on beside the text and what the file of the model
// says. States merge where they are equal.
type Settings struct {
	Version     string `json:"version,omitempty"`      // of the program
	ModelSum    string `json:"model_sha256,omitempty"` // of the model's file
	Activations string `json:"activations,omitempty"`  // f32, or q8: 8 bits against quantized weights
	KV          string `json:"kv,omitempty"`           // type of the cache
	Tokenizer   string `json:"tokenizer,omitempty"`    // whose ids a text gets
	Window      int    `json:"window,omitempty"`       // tokens that are read together, from position 0 on
	SwapTokens  int    `json:"swap_tokens,omitempty"`  // that exchanged norms are to be compared on
}

// Origin is what the runner knows and the collector does not: the runner
// fills it in before it takes the result.
type Origin struct {
	Settings
	Text   string `json:"text"`                  // what was read, in words
	Digest string `json:"text_sha256,omitempty"` // of the token ids; of the text where there are blocks
	Blocks int    `json:"blocks,omitempty"`      // that a long text was read in
	Texts  []Text `json:"texts,omitempty"`       // of pooled runs, instead of Digest

	Shards   []Shard   `json:"shards,omitempty"`
	Progress *Progress `json:"progress,omitempty"` // of a run that is not at its end

	// A checkpoint has the name of its training run and its step.
	Run  string `json:"run,omitempty"`
	Step *int   `json:"step,omitempty"`

	Causes *Causes    `json:"causes,omitempty"` // merging keeps the first
	Swap   []SwapMode `json:"swap,omitempty"`   // native first; merging weighs by tokens
	// EmbeddingSwap is the same of an encoder, of whole runs only.
	EmbeddingSwap []EmbeddingSwap `json:"embedding_swap,omitempty"`
}

// A Text is what a pooled run read.
type Text struct {
	Name   string `json:"name"`
	Digest string `json:"sha256"`
	Blocks int    `json:"blocks,omitempty"`
}

// Progress is how far a run has come that is not at its end: the fields are those of
// corpus.Place.
type Progress struct {
	Block  int    `json:"block"`
	Window int    `json:"window"`
	Sum    string `json:"sha256"`
}

// Tokens returns the number of tokens seen, at the site that saw most.
func (s *State) Tokens() uint64 {
	var n uint64
	for _, site := range s.sites {
		n = max(n, (site.First.Count+site.Rest.Count)/uint64(max(site.Heads, 1)))
	}
	return n
}

// Finite returns an error that names the first site with vectors that hold NaN or
// Inf, and how many those are; nil if there are none. Statistics leave them out.
func (s *State) Finite() error {
	for _, site := range s.sites {
		if n := site.First.NonFinite + site.Rest.NonFinite; n > 0 {
			return fmt.Errorf("geometry: %s reads or writes NaN or Inf in %s", site.Name, plain.Count(int(n), "vector"))
		}
	}
	return nil
}

// Merge adds what o has seen, of the same model, settings, sites and text. States of
// shards merge when their shards are of one division and differ.
func (s *State) Merge(o *State) error {
	for _, x := range []*State{s, o} {
		if x.Progress != nil {
			return fmt.Errorf("geometry: merge: %s is not at its end", x.part())
		}
	}
	switch {
	case s.Text != o.Text:
		return fmt.Errorf("geometry: merge: different texts: %q and %q", s.Text, o.Text)
	case s.Digest != o.Digest || s.Blocks != o.Blocks || !slices.Equal(s.Texts, o.Texts):
		return fmt.Errorf("geometry: merge: two texts are both called %q, or one run read more of it", s.Text)
	case (len(s.Shards) == 0) != (len(o.Shards) == 0):
		return errors.New("geometry: merge: one is a shard of a run, the other a whole run")
	}
	if err := s.sameKind(o); err != nil {
		return fmt.Errorf("geometry: merge: %w", err)
	}
	shards, err := mergeShards(s.Shards, o.Shards)
	if err != nil {
		return err
	}
	if err := s.add(o); err != nil {
		return err
	}
	s.Shards = shards
	return nil
}

// Pool adds what o has seen of another text, with the same model, settings and
// sites. Both must be whole.
func (s *State) Pool(o *State) error {
	for _, x := range []*State{s, o} {
		if x.Progress != nil || len(x.Missing()) > 0 {
			return fmt.Errorf("geometry: pool: %s of %q is not the whole", x.part(), x.Text)
		}
	}
	texts := s.texts()
	for _, t := range o.texts() {
		if slices.ContainsFunc(texts, func(x Text) bool { return x.Digest == t.Digest }) {
			return fmt.Errorf("geometry: pool: the text %q is there twice", t.Name)
		}
		texts = append(texts, t)
	}
	if err := s.sameKind(o); err != nil {
		return fmt.Errorf("geometry: pool: %w", err)
	}
	if err := s.add(o); err != nil {
		return err
	}
	s.Texts, s.Text, s.Digest, s.Blocks, s.Shards = texts, plain.Count(len(texts), "text"), "", 0, nil
	return nil
}

func (s *State) texts() []Text {
	if len(s.Texts) > 0 {
		return slices.Clone(s.Texts)
	}
	return []Text{{s.Text, s.Digest, s.Blocks}}
}

// part is what a state is called in errors.
func (s *State) part() string {
	if len(s.Shards) == 1 {
		return "shard " + s.Shards[0].String()
	}
	return "a run"
}

// Resumes returns an error if o is not the state of an earlier run of the same share of a
// text, as far as the descriptions say.
func (s *State) Resumes(o *State) error {
	err := s.sameKind(o)
	switch {
	case err != nil:
	case s.Text != o.Text:
		err = fmt.Errorf("the text is %q, and was %q", s.Text, o.Text)
	case !slices.Equal(s.Shards, o.Shards):
		err = fmt.Errorf("this is %s, and that was %s", s.part(), o.part())
	default:
		return nil
	}
	return fmt.Errorf("geometry: the run cannot go on: %w", err)
}

// Continue takes over what an earlier run of the same share saw until it was
// interrupted.
func (s *State) Continue(o *State) error {
	if err := s.Resumes(o); err != nil {
		return err
	}
	return s.add(o)
}

// sameKind names what hinders the figures of two runs to be of one kind.
func (s *State) sameKind(o *State) error {
	for _, v := range []struct {
		what string
		a, b any
	}{
		{"model", s.Model.Name, o.Model.Name}, {"model's SHA-256", s.ModelSum, o.ModelSum}, {"model", s.Model, o.Model}, {"version", s.Version, o.Version},
		{"type of the activations", s.Activations, o.Activations}, {"type of the cache", s.KV, o.KV}, {"tokenizer", s.Tokenizer, o.Tokenizer},
		{"number of tokens of a window", s.Window, o.Window}, {"number of tokens that swaps are compared on", s.SwapTokens, o.SwapTokens},
		{"length of the lists of extremes", s.top, o.top}, {"number of sites", len(s.sites), len(o.sites)},
	} {
		if v.a != v.b {
			return fmt.Errorf("the %s differs: %v and %v", v.what, v.a, v.b)
		}
	}
	if s.Run != o.Run || (s.Step == nil) != (o.Step == nil) || s.Step != nil && *s.Step != *o.Step {
		return errors.New("different checkpoints")
	}
	for i, site := range s.sites {
		// Weights are not part of a state, so this compares the description.
		if a, b := describe(site.Site), describe(o.sites[i].Site); a != b {
			return fmt.Errorf("site %d is %s and %s", i, a, b)
		}
	}
	return nil
}

// add takes in the figures of o.
func (s *State) add(o *State) error {
	swap, err := MergeSwaps(s.Swap, o.Swap)
	if err != nil {
		return err
	}
	for i, site := range s.sites {
		if err := site.merge(o.sites[i], s.top); err != nil {
			return err
		}
	}
	s.Swap = swap
	if s.tokenText == nil {
		s.tokenText = map[int32]string{}
	}
	maps.Copy(s.tokenText, o.tokenText)
	return nil
}

func describe(s Site) string {
	return fmt.Sprintf("%s (layer %d, %s, %s, eps %g, %d x %d)", s.Name, s.Layer, s.Role, kindOf(s.Center), s.Eps, s.Heads, s.Dim)
}

// ReadState parses the JSON of a State and checks that it is whole.
func ReadState(b []byte) (*State, error) {
	var j stateJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, fmt.Errorf("geometry: state: %w", err)
	}
	if j.Schema != StateSchema {
		return nil, fmt.Errorf("geometry: state: schema is %q, want %q", j.Schema, StateSchema)
	}
	if j.Top < 0 || j.Step != nil && *j.Step < 0 {
		return nil, errors.New("geometry: state: a negative number of extremes, or step")
	}
	for i, site := range j.Sites {
		if site == nil || site.First == nil || site.Rest == nil {
			return nil, fmt.Errorf("geometry: state: site %d has no statistics", i)
		}
		if site.Dim < 2 || site.Heads < 1 {
			return nil, fmt.Errorf("geometry: state: site %s: %d heads of dimension %d", site.Name, site.Heads, site.Dim)
		}
		for _, c := range []*cell{site.First, site.Rest} {
			if err := c.check(); err != nil {
				return nil, fmt.Errorf("geometry: state: site %s: %w", site.Name, err)
			}
		}
		for _, e := range slices.Concat(site.TopAngle, site.TopNorm) {
			if !(e.Norm > 0 && e.Norm <= largest && e.Angle >= 0 && e.Angle <= 180) {
				return nil, fmt.Errorf("geometry: state: site %s: a vector of norm %v and angle %v", site.Name, e.Norm, e.Angle)
			}
		}
	}
	for _, h := range j.Shards {
		if h.Count < 1 || h.Count > maxShards || h.Index < 0 || h.Index >= h.Count || h.Count != j.Shards[0].Count {
			return nil, fmt.Errorf("geometry: state: shard %s of at most %d", h, maxShards)
		}
	}
	if p := j.Progress; p != nil && (p.Block < 0 || p.Window < 0) {
		return nil, fmt.Errorf("geometry: state: the progress is %d windows of block %d", p.Window, p.Block)
	}
	for i := range j.Swap {
		if err := j.Swap[i].check(); err != nil {
			return nil, fmt.Errorf("geometry: state: %w", err)
		}
	}
	for i := range j.EmbeddingSwap {
		if err := j.EmbeddingSwap[i].check(); err != nil {
			return nil, fmt.Errorf("geometry: state: %w", err)
		}
	}
	return &State{j.Model, j.Origin, j.Top, j.Sites, j.TokenText}, nil
}

// NameTokens asks text what the tokens in the lists of extremes are, for
// SiteExtreme.Text. Merging joins the answers.
func (s *State) NameTokens(text func(id int32) string) {
	s.tokenText = map[int32]string{}
	for _, site := range s.sites {
		for _, e := range slices.Concat(site.TopAngle, site.TopNorm) {
			s.tokenText[e.Token] = text(e.Token)
		}
	}
}

// maxShards bounds the parts of a text, for the list of those that are missing.
const maxShards = 1 << 20

// Shard is part Index (from 0) of a division of a text into Count parts.
type Shard struct {
	Index int `json:"index"`
	Count int `json:"count"`
}

// ParseShard reads "I/N", I from 0 to N-1.
func ParseShard(s string) (Shard, error) {
	var h Shard
	if n, err := fmt.Sscanf(s, "%d/%d", &h.Index, &h.Count); n != 2 || err != nil || s != h.String() {
		return Shard{}, fmt.Errorf("geometry: shard %q is not of the form I/N", s)
	}
	if h.Count < 1 || h.Index < 0 || h.Index >= h.Count {
		return Shard{}, fmt.Errorf("geometry: shard %q: I must be 0 to N-1", s)
	}
	return h, nil
}

// String returns I/N.
func (h Shard) String() string { return fmt.Sprintf("%d/%d", h.Index, h.Count) }

// Has tells whether text window i falls to h: every Count-th does, from window
// Index on. It is the rule of package eval for chunks.
func (h Shard) Has(i int) bool { return i%h.Count == h.Index }

func mergeShards(a, b []Shard) ([]Shard, error) {
	out := slices.Clone(a)
	for _, h := range b {
		if len(out) > 0 && h.Count != out[0].Count {
			return nil, fmt.Errorf("geometry: merge: shards %s and %s are of different divisions", out[0], h)
		}
		if slices.Contains(out, h) {
			return nil, fmt.Errorf("geometry: merge: shard %s is there twice", h)
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b Shard) int { return a.Index - b.Index })
	return out, nil
}

// Missing returns the shards that a merged run still lacks.
func (s *State) Missing() []Shard {
	var out []Shard
	if len(s.Shards) == 0 {
		return nil
	}
	for i := range s.Shards[0].Count {
		if h := (Shard{i, s.Shards[0].Count}); !slices.Contains(s.Shards, h) {
			out = append(out, h)
		}
	}
	return out
}
