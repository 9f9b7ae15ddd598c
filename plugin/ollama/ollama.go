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

	allowRMSNorm()
}

// Open loads a GGUF file of a registered architecture into Ollama's back end.
// A folded file is verified, and runs RMSNorm; any other runs LayerNorm. A
// file that says it is folded and is not is an error.
func Open(ctx context.Context, path string, params ml.BackendParams) (Model, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("ollama: %w", err)
	}
	folded, err := mayRunRMSNorm(ctx, f)
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("ollama: %s: %w", path, err)
	}
	opened, err := model.New(path, params)
	if err != nil {
		return nil, fmt.Errorf("ollama: %s: %w", path, err)
	}
	m, ok := opened.(Model)
	if !ok {
		opened.Backend().Close()
		return nil, fmt.Errorf("ollama: %s: %w", path, model.ErrUnsupportedModel)
	}
	if err := m.Backend().Load(ctx, nil); err != nil {
		m.Backend().Close()
		return nil, fmt.Errorf("ollama: %s: %w", path, err)
	}
	if folded {
		m.allowRMSNorm()
		return m, m.SetNorm(arch.RMSNorm)
	}
	return m, nil
}

// mayRunRMSNorm reports whether the norms of a file may run as RMSNorm.
// Whether that is worth a look is what the file says; the answer is measured.
func mayRunRMSNorm(ctx context.Context, f *gguf.File) (bool, error) {
	graph, err := arch.Load(f) // every tensor is there, and of the right shape
	if err != nil {
		return false, err
	}
	says, err := fold.ReadProvenance(&f.Meta)
	if err != nil || says == nil {
		return false, err
	}
	if says.Requantised {
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
