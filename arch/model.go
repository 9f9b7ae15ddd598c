package arch

import (
	"slices"
	"strings"

	"github.com/normswap/normswap/gguf"
)

// A Model is the graph of one file: its hyper-parameters and its tensors by
// their part in the graph.
type Model struct {
	Spec *Spec
	Hyper

	Embed      *gguf.Tensor // [Dim, Vocab]
	TokenTypes *gguf.Tensor // [Dim, types], of which the first row is added to each token, or nil
	Positions  *gguf.Tensor // [Dim, Context], or nil
	EmbedNorm  *Norm        // or nil
	// EmbedProject makes vectors of Dim elements of the embedding, which is
	// EmbedDim wide with its tables and its norm; W is nil where both are equal.
	EmbedProject Linear
	EmbedDim     int
	// PositionBias holds what is added to the scores of each head, by the distance
	// of the key from the query: -n to n in its 2n+1 rows, and beyond as at the
	// ends. [2n+1, Heads], or nil.
	PositionBias *gguf.Tensor
	Blocks       []Block
	AltUp        *AltUpModel // or nil
	FinalNorm    *Norm       // or nil
	Head         Linear      // its W is Embed when the file has no head of its own; encoders have none
	Tied         bool        // W is Embed

	// What stands behind the pooling; a W is nil where there is none.
	Dense2, Dense3       Linear
	ClassDense, ClassOut Linear // of the classification head
	ClassNorm            *Norm  // or nil

	// Warnings tell what in the file is not used: keys that are not known, and
	// tensors that logits do not need.
	Warnings []string
}

// Hyper holds the hyper-parameters. Heads and KVHeads are those of the first layer with
// attention, FFN that of the first layer; a [Block] has its own.
type Hyper struct {
	Dim, Layers, Heads, KVHeads, HeadDim, FFN, Vocab, Context int

	// With latent attention HeadDim is that of the latent and of the part that RoPE
	// turns, and these are the widths of the latents (that of queries is 0 where they are
	// made at once), and of keys and values of a head.
	QLatent, KVLatent, KeyDim, ValueDim int

	// With a [Recurrence]: how many tokens, itself included, the convolution sees, and the
	// width of what it reads; with Mamba the numbers of the state for each element of that,
	// its heads, and the width of what their steps are made of.
	ConvTaps, Inner, ScanState, ScanHeads, StepWidth int

	Eps             float32 // of every norm
	Score           Score   // of experts
	Normalize       bool    // the weights of those that are chosen
	WeightScale     float32 // of them
	Experts, Active int     // experts of a layer, and how many of them a token uses
	// Groups and ActiveGroups: experts are chosen from the ActiveGroups best of Groups equal
	// groups. A group is as good as its best expert, or, with a Score of Sigmoid, as the sum of
	// its two best (DeepSeek-AI 2024, arXiv 2405.04434 and 2412.19437). Groups is 1 where all are one.
	Groups, ActiveGroups int
	Activation           Activation
	XIELU                []XIELUShape // of each layer, with that activation
	Sparsity             []float32    // of the gates of each layer, with [AltUp]
	Pooling              Pooling      // what the file asks for
	Dense                int          // width between the matrices behind the pooling
	Labels               []string     // names of the scores of the classification head
	Clamp                float32      // queries, keys and values are clamped to [-Clamp, Clamp]; 0: not at all
	ALiBiScale           float32      // multiplies the slopes of ALiBi
	MaxALiBi             float32      // the steepest slope is 2^(-MaxALiBi/heads'); 0: no ALiBi
	AttnScale            float32      // multiplies query.key
	AttnSoftcap          float32      // c*tanh(score/c); 0: none
	Temperature          float32      // queries are multiplied by 1 + Temperature*ln(floor(position/RoPE.OrigContext) + 1)
	EmbedScale           float32
	ResidualScale        float32 // of what branches write
	LogitScale           float32
	LogitSoftcap         float32
	RoPE                 RoPE // of global layers
	WindowRoPE           RoPE // of layers with a sliding window
	NoRoPE               bool // no layer has it
	NextLayers           int  // layers at the end of the file that are left out
}

// XIELUShape are the parameters of the activation xIELU (Huang and Schlag 2024, arXiv
// 2411.13010): x > 0: P x^2 + Beta x, else (exp(min(x, Eps)) - 1 - x) N + Beta x.
type XIELUShape struct{ P, N, Beta, Eps float32 }

// RoPE holds the parameters of the rotary embedding.
type RoPE struct {
	Rotary Rotary
	Dims   int     // coordinates of a head that are turned
	Base   float64 // pair i turns by pos * Base^(-2i/Dims) radians
	Scale  float64 // the position is multiplied by it (1/factor)

	// YaRN (Peng et al. 2023): Ext is 1 with it and 0 without.
	Ext, Attn, BetaFast, BetaSlow float64
	OrigContext                   int

	// Each pair's frequency is divided by its factor: one of LongFactors in a
	// session with more than OrigContext positions, one of Factors in others.
	Factors, LongFactors []float32
	Long                 bool // the scaling is LongRoPE (Ding et al. 2024), which is these factors
}

// A Block is one layer.
type Block struct {
	// Without Heads there is no attention; without KVHeads O reads what queries would; see
	// Spec.Uneven.
	Heads, KVHeads, FFN, SharedFFN int

	AttnNorm *Norm // nil: attention reads the residual stream itself
	FFNNorm  *Norm // nil: the FFN reads what attention reads if Parallel, else the stream itself
	AttnPost *Norm // nil: none
	FFNPost  *Norm
	AttnSum  *Norm // nil: the sum with what attention writes is the stream; see Spec
	AttnSum2 *Norm
	FFNSum   *Norm
	QNorm    *Norm // nil: none
	KNorm    *Norm
	VNorm    *Norm

	Parallel bool
	Window   int  // positions that a query sees, itself included, or in an encoder twice the distance to those; 0: all
	Rotary   bool // RoPE is applied
	KVFrom   int  // the layer whose keys and values attention reads, which may be an earlier one

	AltUp    *AltUpBlock // or nil
	Sparsity float32     // of the gates of the FFN, see [AltUp]; 0: not sparse

	// With latent attention (MLA; DeepSeek-AI 2024, arXiv 2405.04434) K makes the latent of keys
	// and values, which KNorm normalizes, KRope the part of keys that RoPE turns, which all
	// heads share, and KHeads and VHeads the rest of the keys, and the values, of that latent:
	// one matrix a head, of which that of keys is stored transposed. QHeads makes the queries of
	// the latent that Q makes and QNorm normalizes; its W is nil where Q makes them.
	KRope, QHeads, KHeads, VHeads Linear

	// In a layer with a [Recurrence] in place of attention.
	In, ScanIn, Step       Linear
	Conv                   *gguf.Tensor // [ConvTaps, Inner]; the last tap is that of the token itself
	A, D                   *gguf.Tensor // [ScanHeads], or nil
	BNorm, CNorm, StepNorm *Norm        // or nil

	Q, K, V, O     Linear
	Gate, Up, Down Linear       // with experts: one matrix an expert, stacked
	Router         Linear       // W nil: no experts
	SelectBias     *gguf.Tensor // [Experts], added to their scores for the choice alone, or nil
	Sinks          *gguf.Tensor // [Heads], scores that every query has beside those of keys, or nil

	// The shared expert; a W is nil where there is none. Its output is
	// multiplied by the sigmoid of SharedRouter.
	SharedGate, SharedUp, SharedDown, SharedRouter Linear
	FFNScales                                      *gguf.Tensor
}

// A Linear is y = W x + B. Several may share one fused tensor: From and Rows
// are its rows. With experts, or with one matrix a head, W holds one matrix of
// Rows rows for each, one after the other.
type Linear struct {
	Role       Role
	Name       string // tensor name without suffix
	Experts    int    // 0: one matrix
	W, B       *gguf.Tensor
	From, Rows int // rows From..From+Rows of W and of B
	BFrom      int // first element of B, which differs from From when the biases are split and W is fused
}

// A Norm is one norm of the graph.
type Norm struct {
	Site       string // "blk.3.attn_norm", "output_norm"
	Role       Role
	Layer      int // -1 outside the blocks
	Kind       NormKind
	Gain, Bias *gguf.Tensor // nil: absent
	Width      int          // elements that are normalised together
	Groups     int          // vectors of Width side by side (heads); the gain covers one or all of them
	Residual   bool         // its input is the residual stream
	Kept       bool         // its output is not read by matrices alone, so that its gain stays
}

// Parameters returns the number of weights of the model.
func Parameters(f *gguf.File) int64 {
	var n int64
	for i := range f.Tensors {
		n += int64(f.Tensors[i].Items())
	}
	return n
}

var altUpRoles = []Role{InputModel, Widen, Merge, StreamRouter, Predict, Correct, LaurelL, LaurelR, InputGate, InputProject}

// Bias returns whether the architecture has a place for the bias of a matrix.
func (s *Spec) Bias(l *Linear) Presence {
	switch {
	case l.Role == Step:
		return Required
	case l.Role == In || l.Role == ScanIn || slices.Contains(altUpRoles, l.Role):
		return Absent
	case s.Latent && l.Role != O && strings.Contains(l.Name, ".attn_"):
		return Absent
	case l.Experts > 0 || l.Role == Router:
		return s.Routing.Bias
	case strings.HasSuffix(l.Name, suffixOfShared) || l.Role == Dense2 || l.Role == Dense3:
		return Absent
	case l.Role == ClassDense || l.Role == ClassOut || l.Role == EmbedProject:
		return Optional
	case l.Role == Head:
		return s.HeadBias
	case l.Role == O:
		return s.OutBias
	case l.Role == Q || l.Role == K || l.Role == V:
		return s.QKVBias
	}
	return s.FFNBias
}
