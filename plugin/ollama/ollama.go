// Package ollama is a plug-in for Ollama's Go engine: the LayerNorm
// architectures gpt2, gptneox and stablelm, which that engine lacks, as Ollama
// models whose norms run as LayerNorm, or as RMSNorm if the file is folded.
//
// Importing the package registers the architectures, so that Ollama's
// model.New opens files of them, with LayerNorm: that is right for every file,
// folded or not. Open also verifies what a file says of itself, and switches
// the norms of a folded one.
//
// A new architecture is one file: gpt2.go is the one to read first. Fields
// are filled by Ollama from the tensors that their tags name, and Forward
// builds the graph.
package ollama

import (
	"context"
	"fmt"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	fsggml "github.com/ollama/ollama/fs/ggml"
	"github.com/ollama/ollama/ml"
	"github.com/ollama/ollama/model"
	"github.com/ollama/ollama/tokenizer"
)

// A Model is an Ollama model whose norms are of either kind.
type Model interface {
	model.Model
	tokenizer.Tokenizer

	// Norm returns the kind of norm that the next graph will have.
	Norm() arch.NormKind
	// SetNorm chooses it. RMSNorm is an error unless the file was verified to
	// be folded: it would be another function.
	SetNorm(arch.NormKind) error

	options() *Options
}

// Open loads a GGUF file of a registered architecture into Ollama's back end.
// A folded file is verified, and runs RMSNorm; any other runs LayerNorm. A
// file that says it is folded and is not is an error.
func Open(ctx context.Context, path string, params ml.BackendParams) (Model, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("ollama: %w", err)
	}
	defer f.Close()
	m, err := open(ctx, f, params)
	if err != nil {
		return nil, fmt.Errorf("ollama: %s: %w", path, err)
	}
	return m, nil
}

func open(ctx context.Context, f *gguf.File, params ml.BackendParams) (Model, error) {
	graph, err := arch.Load(f) // every tensor is there, and of the right shape
	if err != nil {
		return nil, err
	}
	folded, err := mayRunRMSNorm(ctx, f, graph)
	if err != nil {
		return nil, err
	}
	if err := readable(f); err != nil {
		return nil, err
	}
	opened, err := model.New(f.Paths[0], params)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", graph.Spec.Name, err)
	}
	m, ok := opened.(Model)
	if !ok {
		err = model.ErrUnsupportedModel
	}
	if err == nil {
		err = m.options().check(graph)
	}
	if err == nil {
		err = opened.Backend().Load(ctx, nil)
	}
	if err != nil {
		opened.Backend().Close()
		return nil, err
	}
	if folded {
		m.options().rmsNorm = true
		return m, m.SetNorm(arch.RMSNorm)
	}
	return m, nil
}

// readable is an error if Ollama's back end cannot read the file.
func readable(f *gguf.File) error {
	if len(f.Paths) > 1 {
		return fmt.Errorf("it has %d parts, and Ollama's engine reads one", len(f.Paths))
	}
	for i := range f.Tensors {
		if t := &f.Tensors[i]; fsggml.TensorType(t.Type).TypeSize() == 0 {
			return fmt.Errorf("tensor %s: Ollama's engine does not know the type %s", t.Name, t.Type)
		}
	}
	return nil
}

// mayRunRMSNorm reports whether the norms of a file may run as RMSNorm.
// Whether that is worth a look is what the file says; the answer is measured.
func mayRunRMSNorm(ctx context.Context, f *gguf.File, graph *arch.Model) (bool, error) {
	says, err := fold.ReadProvenance(&f.Meta)
	if err != nil || says == nil {
		return false, err
	}
	if says.Level == fold.LevelReaders {
		return false, nil // its writers are as they were
	}
	if says.Requantized {
		return false, nil // folded, then rounded to blocks: a good LayerNorm model
	}
	plan, err := fold.Verify(ctx, f, graph)
	if err != nil {
		return false, fmt.Errorf("it says that it is folded: %w", err)
	}
	// These architectures swap all norms or none. Where a plan keeps some, only
	// the sites of its Swap steps may change.
	return len(plan.Kept) == 0, nil
}
