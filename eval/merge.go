package eval

import (
	"fmt"
	"slices"

	"github.com/normswap/normswap/internal/plain"
)

// Merge takes in another part of the same run. The order in which parts are
// merged does not matter, but for rounding.
func (r *Report) Merge(o *Report) error {
	if err := r.sameKind(o); err != nil {
		return err
	}
	if err := r.sameText(o); err != nil {
		return err
	}
	for _, x := range []*Report{r, o} {
		if x.Progress != nil {
			return fmt.Errorf("eval: shard %v of %d is not at its end", x.Shards, x.Of)
		}
	}
	for _, s := range o.Shards {
		if slices.Contains(r.Shards, s) {
			return fmt.Errorf("eval: shard %d of %d is there twice", s, r.Of)
		}
	}
	if r.Blocks > 0 {
		r.Chunks += o.Chunks
	}
	r.Shards = append(r.Shards, o.Shards...)
	slices.Sort(r.Shards)
	return r.add(o)
}

// Pool takes in a run over another text, with the same model and settings. Both must be
// whole.
func (r *Report) Pool(o *Report) error {
	if err := r.sameKind(o); err != nil {
		return err
	}
	texts := r.texts()
	for _, x := range []*Report{r, o} {
		if x.Progress != nil || len(x.Missing()) > 0 {
			return fmt.Errorf("eval: the run over %q is not whole", x.Text)
		}
	}
	for _, t := range o.texts() {
		if slices.ContainsFunc(texts, func(x Read) bool { return x.IDs == t.IDs }) {
			return fmt.Errorf("eval: the text %q is there twice", t.Name)
		}
		texts = append(texts, t)
	}
	r.Texts, r.Text, r.IDs, r.Blocks = texts, plain.Count(len(texts), "text"), "", 0
	r.Chunks, r.Shards, r.Of = r.Chunks+o.Chunks, []int{0}, 1
	return r.add(o)
}

func (r *Report) texts() []Read {
	if len(r.Texts) > 0 {
		return slices.Clone(r.Texts)
	}
	return []Read{{r.Text, r.IDs, r.Blocks}}
}

// Resumes returns an error if o is not of an earlier run of the same shard, as far as the
// descriptions say.
func (r *Report) Resumes(o *Report) error {
	if err := r.sameKind(o); err != nil {
		return err
	}
	if r.Text != o.Text || r.Of != o.Of || !slices.Equal(r.Shards, o.Shards) {
		return fmt.Errorf("eval: the run cannot go on: it is of shard %v of %d of %q, and was of shard %v of %d of %q", r.Shards, r.Of, r.Text, o.Shards, o.Of, o.Text)
	}
	return nil
}

// Continue takes in what an earlier run of the same shard found until it was
// interrupted.
func (r *Report) Continue(o *Report) error {
	if err := r.Resumes(o); err != nil {
		return err
	}
	if r.Blocks > 0 {
		r.Chunks += o.Chunks
	}
	return r.add(o)
}

// add takes in the statistics of o.
func (r *Report) add(o *Report) error {
	for i := range r.Norms {
		if err := r.Norms[i].state.merge(o.Norms[i].state); err != nil {
			return err
		}
	}
	r.finish()
	return nil
}

// A field is what two reports have in common.
type field struct {
	what string
	a, b any
}

// sameKind names what hinders the figures of two reports to be of one kind.
func (r *Report) sameKind(o *Report) error {
	return equal([]field{
		{"kind", r.Kind, o.Kind}, {"model", r.Model, o.Model}, {"architecture", r.Arch, o.Arch}, {"number of parameters", r.Weights, o.Weights}, {"context", r.Context, o.Context},
		{"model's SHA-256", r.ModelSum, o.ModelSum}, {"version", r.Version, o.Version}, {"type of the activations", r.Activations, o.Activations}, {"type of the cache", r.KV, o.KV},
		{"tokenizer", r.Tokenizer, o.Tokenizer}, {"list of swapped layers", r.NormLayers, o.NormLayers}, {"number of norm modes", len(r.Norms), len(o.Norms)},
	})
}

// sameText names what hinders two reports to be of one run.
func (r *Report) sameText(o *Report) error {
	fields := []field{{"text", r.IDs, o.IDs}, {"number of blocks", r.Blocks, o.Blocks}, {"number of texts", len(r.Texts), len(o.Texts)}, {"number of shards", r.Of, o.Of}}
	if r.Blocks == 0 {
		fields = append(fields, field{"number of chunks", r.Chunks, o.Chunks})
	}
	return equal(fields)
}

func equal(fields []field) error {
	for _, f := range fields {
		if f.a != f.b {
			return fmt.Errorf("eval: these are not parts of one run: the %s differs, %v and %v", f.what, f.a, f.b)
		}
	}
	return nil
}

// Missing returns the shards of the run that are not in here.
func (r *Report) Missing() []int { return missing(r.Shards, r.Of) }

// missing returns the numbers below of that are not in a list.
func missing(shards []int, of int) (absent []int) {
	for s := range of {
		if !slices.Contains(shards, s) {
			absent = append(absent, s)
		}
	}
	return absent
}
