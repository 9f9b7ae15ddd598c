package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/normswap/normswap/engine"
	"github.com/spf13/cobra"
)

// guessFlags say how tokens are guessed.
type guessFlags struct {
	lookup bool
	draft  string // file
	most   int
}

func (o *guessFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.lookup, "lookup", false, "guess tokens from where the last ones stood before (prompt lookup): the same text, faster where it repeats itself")
	f.StringVar(&o.draft, "model-draft", "", "a smaller model of the same vocabulary, a `file`, that guesses tokens: the same text")
	f.IntVar(&o.most, "draft-max", 15, "`tokens` that are guessed at once at most")
}

func (o *guessFlags) check() error {
	if o.most < 1 || o.most > 15 {
		return usagef("--draft-max %d: want a number from 1 to 15", o.most)
	}
	return nil
}

// openDraft loads the model that guesses, with the norms that it was trained with; nil
// if there is none.
func (o *guessFlags) openDraft(ctx context.Context, like modelFlags) (*engine.Model, error) {
	if o.draft == "" {
		return nil, nil
	}
	like.norm, like.normLayers, like.foldGain, like.verify = normFlag{value: string(engine.Native)}, "", false, false
	return like.open(ctx, o.draft)
}

// speculation returns what guesses for a session; nil if nothing does. draft may be nil.
func (o *guessFlags) speculation(draft *engine.Model, s *engine.Session, like *modelFlags) (*engine.Speculation, error) {
	if !o.lookup && draft == nil {
		return nil, nil
	}
	g := &engine.Speculation{Lookup: o.lookup, Max: o.most}
	if draft != nil {
		var err error
		if g.Draft, err = draft.NewSession(engine.SessionOptions{Context: s.Max(), KV: like.cacheType()}); err != nil {
			return nil, fmt.Errorf("%s: %w", o.draft, err)
		}
	}
	return g, nil
}

// restoreState reads the state of a session from a file, if that is there.
func restoreState(ctx context.Context, path string, s *engine.Session) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		_, err := checkTarget(path, true)
		return err
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.Restore(ctx, f); errors.Is(err, engine.ErrState) {
		return fmt.Errorf("%s: %w; remove it, or name another file", path, err)
	} else if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// saveState writes the first n tokens of a session to a file.
func saveState(ctx context.Context, path string, s *engine.Session, n int) error {
	s.Truncate(min(n, s.Len()))
	return writeFile(ctx, path, true, func(w io.Writer) error { return s.Save(ctx, w) })
}
