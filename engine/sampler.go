package engine

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// SampleOptions say how a token is drawn from logits. The zero value is
// greedy: the most likely token, always. A field that is 0 changes nothing, so
// that Temperature alone draws from all tokens.
type SampleOptions struct {
	Temperature float64 // divides the logits; 0: greedy
	TopK        int     // only the k most likely; 0: all
	// TopP keeps the most likely tokens whose probabilities reach p, and always
	// one (Holtzman et al. 2019); 0 or 1: all. Where other tools keep one token
	// for a p of 0, TopK 1 does that here.
	TopP float64
	MinP float64 // only those at least this fraction as likely as the first (Nguyen et al. 2024); 0: all
	// RepeatPenalty divides positive logits of recent tokens and multiplies
	// negative ones (Keskar et al. 2019); 0 or 1: none.
	RepeatPenalty float64
	RepeatLast    int // how many tokens are recent; 0 means 64
	Seed          uint64
}

// Check tells what is wrong with the options, if anything.
func (o *SampleOptions) Check() error {
	bad := func(name string, v any, want string) error {
		return fmt.Errorf("engine: %s is %v, want %s", name, v, want)
	}
	penalty := float32(o.RepeatPenalty)
	switch {
	case !(o.Temperature >= 0) || math.IsInf(o.Temperature, 0):
		return bad("the temperature", o.Temperature, "0 (greedy) or a positive number")
	case o.TopK < 0:
		return bad("top-k", o.TopK, "0 (all) or a positive number")
	case !(o.TopP >= 0 && o.TopP <= 1):
		return bad("top-p", o.TopP, "a number from 0 to 1")
	case !(o.MinP >= 0 && o.MinP <= 1):
		return bad("min-p", o.MinP, "a number from 0 to 1")
	case o.RepeatPenalty != 0 && !(penalty > 0 && penalty <= math.MaxFloat32 && 1/penalty <= math.MaxFloat32):
		return bad("the repeat penalty", o.RepeatPenalty, "a positive number, it and its inverse in the range of float32 (1: none)")
	case o.RepeatLast < 0:
		return bad("repeat-last", o.RepeatLast, "a positive number")
	}
	return nil
}

// A Sampler draws tokens. It keeps the state of its random numbers: with
// the same options and logits it draws the same tokens.
type Sampler struct {
	o      SampleOptions
	source *rand.PCG
	rand   *rand.Rand // of the source
	cand   []candidate
}

type candidate struct {
	id int32
	v  float32 // logit, later probability
}

// NewSampler makes a sampler.
func NewSampler(o SampleOptions) (*Sampler, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.RepeatLast == 0 {
		o.RepeatLast = 64
	}
	source := rand.NewPCG(o.Seed, 0x6e6f726d)
	return &Sampler{o: o, source: source, rand: rand.New(source)}, nil
}

// copyTo returns a sampler, to if that is not nil, that draws from equal logits what
// s will draw.
func (s *Sampler) copyTo(to *Sampler) *Sampler {
	if to == nil {
		source := *s.source
		to = &Sampler{source: &source, rand: rand.New(&source)}
	}
	to.o, *to.source = s.o, *s.source
	return to
}

// Sample draws the token that follows recent. It changes the logits of
// recent tokens when there is a repeat penalty. The order is that of
// llama.cpp: penalty, top-k, top-p, min-p, temperature.
//
// A token with a logit of -Inf is never drawn. It is an error if nothing else
// can be: without any other logits, or with a NaN among them.
func (s *Sampler) Sample(logits []float32, recent []int32) (int32, error) {
	s.penalize(logits, recent)
	if s.o.Temperature == 0 {
		return argmax(logits)
	}
	c, err := s.candidates(logits)
	if err != nil {
		return 0, err
	}
	// Probabilities relative to the first, which is the most likely.
	top := c[0].v
	if math.IsInf(float64(top), 1) {
		return c[0].id, nil
	}
	if p := s.o.TopP; p > 0 && p < 1 {
		var sum float64
		for _, x := range c {
			sum += math.Exp(float64(x.v - top))
		}
		var reached float64
		for i, x := range c {
			if reached += math.Exp(float64(x.v-top)) / sum; reached >= p {
				c = c[:i+1]
				break
			}
		}
	}
	if p := s.o.MinP; p > 0 {
		floor := top + float32(math.Log(p))
		n := 1
		for n < len(c) && c[n].v >= floor {
			n++
		}
		c = c[:n]
	}
	var sum float64
	for i := range c {
		w := math.Exp(float64(c[i].v-top) / s.o.Temperature)
		c[i].v = float32(w)
		sum += float64(c[i].v)
	}
	at := s.rand.Float64() * sum
	id := c[0].id
	for _, x := range c {
		if x.v == 0 { // and so are those behind it
			break
		}
		id = x.id
		if at -= float64(x.v); at < 0 {
			break
		}
	}
	return id, nil
}

// penalize makes recent tokens less likely, each once. Those that are not in
// the vocabulary do not matter.
func (s *Sampler) penalize(logits []float32, recent []int32) {
	p := float32(s.o.RepeatPenalty)
	if p == 0 || p == 1 {
		return
	}
	recent = recent[max(0, len(recent)-s.o.RepeatLast):]
	for i, id := range recent {
		if id < 0 || int(id) >= len(logits) || slices.Contains(recent[:i], id) {
			continue
		}
		if logits[id] > 0 {
			logits[id] /= p
		} else {
			logits[id] *= p
		}
	}
}

// candidates returns the k most likely tokens, or all, the most likely
// first. Ties go to the lower id.
func (s *Sampler) candidates(logits []float32) ([]candidate, error) {
	k := s.o.TopK
	if k == 0 || k > len(logits) {
		k = len(logits)
	}
	c := s.cand[:0]
	// A heap of the k best so far, the worst of them on top, beats sorting
	// the vocabulary.
	for id, v := range logits {
		x := candidate{int32(id), v}
		switch {
		case v != v:
			return nil, unlikely(logits)
		case len(c) < k:
			c = append(c, x)
			if len(c) == k {
				for i := k/2 - 1; i >= 0; i-- {
					sink(c, i)
				}
			}
		case worse(c[0], x):
			c[0] = x
			sink(c, 0)
		}
	}
	slices.SortFunc(c, func(a, b candidate) int {
		if worse(b, a) {
			return -1
		}
		return 1
	})
	s.cand = c
	if len(c) == 0 || math.IsInf(float64(c[0].v), -1) {
		return nil, unlikely(logits)
	}
	return c, nil
}

// worse orders candidates.
func worse(a, b candidate) bool { return a.v < b.v || a.v == b.v && a.id > b.id }

// sink restores the heap, whose root is the worst, below i.
func sink(c []candidate, i int) {
	for {
		w := i
		for _, j := range [2]int{2*i + 1, 2*i + 2} {
			if j < len(c) && worse(c[j], c[w]) {
				w = j
			}
		}
		if w == i {
			return
		}
		c[i], c[w] = c[w], c[i]
		i = w
	}
}

// argmax returns the most likely token, the first of equals.
func argmax(logits []float32) (int32, error) {
	best := 0
	for i, v := range logits {
		if v != v {
			return 0, unlikely(logits)
		}
		if v > logits[best] {
			best = i
		}
	}
	if len(logits) == 0 || math.IsInf(float64(logits[best]), -1) {
		return 0, unlikely(logits)
	}
	return int32(best), nil
}

// unlikely is the error about logits that make no token the most likely one.
func unlikely(logits []float32) error {
	for i, v := range logits {
		if v != v {
			return fmt.Errorf("engine: no token can be drawn: logit %d is NaN", i)
		}
	}
	if len(logits) == 0 {
		return errors.New("engine: no token can be drawn: there are no logits")
	}
	return fmt.Errorf("engine: no token can be drawn: all %d logits are -Inf", len(logits))
}
