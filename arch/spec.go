// Package arch says what each architecture is, as data.
//
// A [Spec] is the description of one architecture; every one has a file of
// its own, and two of them can be diffed. [Load] binds the tensors of a GGUF
// file to a Spec and returns a [Model]: the typed graph that the engine runs
// and that package fold transforms. What reads and what writes the residual
// stream follows from that one graph, so the engine and the fold cannot
// disagree.
//
// GGUF tensor names and metadata keys appear as strings here and nowhere
// else.
package arch

import (
	"fmt"
	"slices"
	"strings"
)

// Presence tells whether a part of an architecture must, may or must not be
// in a file.
type Presence uint8

const (
	Absent Presence = iota
	Optional
	Required
	Unused // it may be there, and takes no part
)

// NormKind is the kind of the norms of an architecture.
type NormKind uint8

const (
	LayerNorm NormKind = iota // removes the mean, then divides by the root mean square
	RMSNorm                   // divides by the root mean square
)

func (k NormKind) String() string { return [...]string{"LayerNorm", "RMSNorm"}[k] }

// NormSpec describes one norm of a block. The zero value means that the
// architecture has no such norm.
type NormSpec struct {
	Name       string // GGUF name without block prefix and suffix, such as "attn_norm"
	Gain, Bias Presence
	Optional   bool // the norm itself may be missing
	NoSuffix   bool // the GGUF name of the gain has none
}

// GainForm tells what a norm on queries or keys normalises together, and which
// elements its gain has.
type GainForm uint8

const (
	PerHead   GainForm = iota // each head; all share one gain
	HeadGains                 // each head; each has a gain
	AllHeads                  // all heads together
)

// Form is the form of a block.
type Form uint8

const (
	// Sequential: x += Attention(norm1(x)); x += FFN(norm2(x)). When the file
	// has no second norm, the block is parallel.
	Sequential Form = iota
	// Parallel: x += Attention(norm1(x)) + FFN(norm2(x)); without a second
	// norm both branches read the first.
	Parallel
	// ParallelByKey: parallel if the key use_parallel_residual is true.
	ParallelByKey
	// PostNorm: x = norm1(x + Attention(x)); x = norm2(x + FFN(x)).
	PostNorm
)

// Rotary is how RoPE pairs the coordinates of a head.
type Rotary uint8

const (
	NoRotary  Rotary = iota
	HalfSplit        // coordinate i with i + dims/2
	Pairwise         // coordinate 2i with 2i + 1
)

// RoPETables are the tables of frequency factors that a file may have.
type RoPETables uint8

const (
	NoTables  RoPETables = iota
	OneTable             // one for all contexts
	LongShort            // one for contexts beyond the original one, one for others
	ByScaling            // those if rope.scaling.type is longrope, otherwise one for all contexts
)

// WindowRoPE is how RoPE on layers with a sliding window differs from that on
// global layers. The zero value: the same base, and neither scaling of
// positions nor an attention factor.
type WindowRoPE struct {
	BaseKey    bool    // the key rope.freq_base_swa is honoured
	Base       float64 // unless that is given; 0: that of global layers
	Scaled     bool    // positions are scaled, by YaRN too, as on global layers
	AttnFactor bool    // queries and keys are multiplied by the attention factor
}

// Activation is the nonlinearity of the FFN.
type Activation uint8

const (
	GELU        Activation = iota // the tanh form
	SiLU                          // x * sigmoid(x)
	ReLU2                         // max(x, 0)^2
	GELUErf                       // the exact form, x * Phi(x)
	ReLU                          // max(x, 0)
	Tanh                          // of classification heads alone
	XIELU                         // with parameters of each layer, see [XIELUShape]
	ClampedSiLU                   // of gated FFNs alone: min(g, 7) * sigmoid(1.702 min(g, 7)) * (clamp(u, -7, 7) + 1)
)

func (a Activation) String() string {
	return [...]string{"GELU", "SiLU", "ReLU^2", "GELU (erf)", "ReLU", "tanh", "xIELU", "clamped SiLU"}[a]
}

// Gating is how the FFN forms its hidden vector.
type Gating uint8

const (
	Plain     Gating = iota // act(up(x))
	Gated                   // act(gate(x)) * up(x)
	FusedGate               // Gated, gate and up being the halves of one matrix
	AnyGate                 // one of these, by the tensors of the file
)

// Scale is a rule for a scalar that depends on the hyper-parameters.
type Scale uint8

const (
	DefaultScale Scale = iota // attention: 1/sqrt(head width), unless the file has another; others: 1
	InvHeadDim                // 1/(head width)
	SqrtDim                   // sqrt(model width)
	InvSqrtQuery              // 1/sqrt(dim/heads), which differs from the default where heads are not dim/heads wide
	InvSqrtHead               // 1/sqrt(head width), whatever the file has
	Twelve                    // 12
	ByLayers                  // 1.4/sqrt(layers)
	ByDim                     // 256/(model width)
	One                       // 1
)

// A Spec describes one architecture: what its files do not tell. A field that
// one architecture alone sets is here so that no code asks for its name.
type Spec struct {
	Name  string // general.architecture
	Known string // by which names people know models of it, the best known ones

	Norm NormKind // of every norm
	// NormByKey makes that RMSNorm where the file has its epsilon, and it is not 0.
	NormByKey bool
	// TrainedLayerNorm tells that the model was trained with LayerNorm though
	// its architecture runs RMSNorm.
	TrainedLayerNorm bool
	// Exports are the RMSNorm architectures that compute what a folded model of
	// this one does, as running both in llama.cpp has shown (docs/FOLD.md).
	Exports []string
	// Ignored are keys that change what the makers compute and that llama.cpp
	// ignores as well, with a remark.
	Ignored map[string]string
	// Unused are tensors that a file may have and logits do not need.
	Unused []string
	// Needs are keys that every file has, though what they tell has a default.
	Needs []string
	// Depths are the numbers of layers of its models, where the number decides
	// what a layer computes; nil: any.
	Depths []int

	AttnNorm  NormSpec // before attention
	FFNNorm   NormSpec // before the FFN
	AttnPost  NormSpec // on what attention writes
	FFNPost   NormSpec // on what the FFN writes
	EmbedNorm NormSpec // on the embedding
	FinalNorm NormSpec
	AttnSum   NormSpec // PostNorm: on the sum of the stream and what attention writes
	AttnSum2  NormSpec // PostNorm: on AttnSum's output, to which the layer's input is added again
	FFNSum    NormSpec // PostNorm: on the sum of the stream and what the FFN writes
	QKNorm    Presence // on the projected queries and keys
	QKGain    GainForm
	QKBias    Presence // its bias
	VNorm     bool     // on each head of the values, without a gain
	// QKNormLayers is the least number of layers of a model with a QKNorm.
	QKNormLayers int

	Form Form
	// Uneven tells that a layer may have no heads, and then no attention, or no heads for
	// keys, and then the output matrix of attention reads the norm; a layer without an FFN
	// is left out as a whole.
	Uneven bool
	// Encoder tells that attention is to all tokens of a sequence, and that the
	// hidden vectors are the result: there are no logits.
	Encoder bool
	// Recurrence stands in place of attention in layers without heads for keys.
	Recurrence Recurrence
	AltUp      *AltUp // nil: none
	// OwnKV is the number of leading layers with keys and values of their own. Those behind
	// read what the last of these with the same window keeps. 0: all have their own.
	OwnKV int
	// RawFirst tells that the attention of the first layer may have no norm, and
	// then reads the residual stream itself.
	RawFirst bool

	Rotary         Rotary
	WindowedRotary bool     // RoPE on the layers with a sliding window only, and on leading ones without experts
	RotaryPeriod   int      // of each group of this many layers the last has no RoPE; 0: all have it
	FinetunedKey   bool     // no RoPE if the key rope.scaling.finetuned is false
	SectionsHalves bool     // RoPE in halves if the file divides the coordinates into sections, as for images
	WindowPeriod   int      // of each group of this many layers the last is global, the others have a sliding window, unless the file has another pattern; 0: no windows
	GlobalFirst    bool     // of each group the first layer is global instead of the last
	WindowAll      bool     // no layer is global where the file has a window
	Windows        Presence // the key attention.sliding_window; Optional: Window unless it is there
	Window         int
	WindowDepth    int // the number of layers of models with windows; 0: any
	WindowRoPE     WindowRoPE
	RoPETables     RoPETables
	Positions      Presence // a learned table
	TokenTypes     Presence // a learned table of segments, of which the first is everyone's
	EmbedProject   Presence // a matrix that makes the width of the model of that of the embedding
	PositionBias   Presence // a table of what is added to the scores of each head, by distance
	ALiBi          Presence
	MaxALiBi       float64 // the maximal bias of ALiBi unless the file has one
	ALiBiScale     bool    // the key attention.alibi_scale multiplies the slopes of ALiBi
	ALiBiDepth     int     // the number of layers of the models with ALiBi, up to MaxALiBi, in place of RoPE; 0: any
	Temperature    bool    // the key attention.temperature_scale: queries grow with their position
	Sinks          Presence

	QKVFused         bool // queries, keys and values are one matrix; otherwise they may be
	Latent           bool // attention is to one latent vector a token, of which each head makes its keys and values; see [Block]
	QKVBias, OutBias Presence
	Clamp            Presence // the key attention.clamp_kqv
	AttnScale        Scale
	AttnSoftcap      float64       // unless the file has one; 0: none
	AttnScaleByDepth map[int]Scale // by the number of layers, in place of AttnScale

	Activation    Activation
	ActivationKey bool // the key hidden_activation overrides it
	Gating        Gating
	Experts       Presence
	LeadingDense  bool // the key leading_dense_block_count: the number of leading layers without experts
	NextLayers    bool // the key nextn_predict_layers: the number of layers at the end that predict further tokens, and are left out
	ExpertsEvery  bool // the key moe_every_n_layers: of each group of that many layers the second has experts
	Routing       Routing
	FFNBias       Presence
	FFNScales     Presence // AWQ's division of the hidden vector by a vector

	EmbedScale    Scale
	ResidualScale Scale // of what branches write
	// ScaleKeys tells that the keys embedding_scale and residual_scale are
	// honoured, and that logit_scale divides; LogitDivisor is its default.
	ScaleKeys    bool
	LogitDivisor Scale
	Head         Presence // a head of its own; otherwise the embedding serves
	EmbedHead    bool     // the head serves as the embedding where a file has none
	HeadBias     Presence
	LogitScale   Presence // the key logit_scale
	// LogitSoftcap holds unless the file has another one; 0: none.
	LogitSoftcap float64

	Dense      Presence   // two matrices behind the pooling
	Classifier Classifier // scores instead of an embedding
}

// Classifier describes the head that makes scores of a pooled hidden vector:
// out(norm(act(dense(x)))), of which each part may be missing. The zero value
// means that the architecture has none.
type Classifier struct {
	Pooling    Pooling // of the hidden vectors
	Activation Activation
	DenseRows  int // outputs of dense; 0: the width of the model
	Norm       bool
}

// Pooling is how one vector is made of those of a sequence.
type Pooling uint8

// The poolings, by their numbers in GGUF.
const (
	PoolNone Pooling = iota // each token keeps its own
	PoolMean
	PoolCLS  // the first token's
	PoolLast // the last token's
	PoolRank // the scores of the classification head
)

func (p Pooling) String() string {
	return [...]string{"none", "mean", "cls", "last", "rank"}[p]
}

// Routing is how the experts of a token are chosen and weighted.
type Routing struct {
	Score    Score // turns what the router computes into the weights of experts
	ScoreKey bool  // the key expert_gating_func overrides it: 1 is softmax over all, 2 sigmoid
	// SigmoidVocab is the vocabulary of models that take the sigmoid where that key is
	// missing, as it is in their first files; 0: none.
	SigmoidVocab int
	// Normalize divides the weights of the chosen by their sum; with NormKey that
	// is up to the key expert_weights_norm.
	Normalize, NormKey bool
	ScaleKey           bool     // the weights are multiplied by the key expert_weights_scale
	Select             Presence // a bias of the scores that counts for the choice alone
	Bias               Presence // of the router, and of experts
	// Width tells that experts are as wide as the key expert_feed_forward_length
	// says. Without it each has the width of the FFN, or, if Divided, an equal
	// part of it for all that a token uses.
	Width, Divided bool
	// Fused tells that gates and ups of experts may be one tensor.
	Fused bool
	// GroupKey tells that the keys expert_group_count and expert_group_used_count are
	// honored: experts are chosen from the best of equal groups, by [Hyper.Groups].
	GroupKey bool
	// Gateless tells that the experts of a file may have no gates.
	Gateless bool
	// Shared is an expert of every token. Where it is required and the file does
	// not tell its width, that is the width of the FFN.
	Shared      Presence
	SharedWidth SharedWidth
	SharedGate  bool // it is multiplied by a sigmoid
	Half        bool // both together are multiplied by 1/2
}

// Score is how router outputs become weights.
type Score uint8

const (
	SoftmaxChosen Score = iota // softmax over the chosen ones
	SoftmaxAll                 // softmax over all: those of the chosen add up to less than 1
	Sigmoid                    // of each
)

// SharedWidth is how wide a file makes the shared expert. It has none if that is 0.
type SharedWidth uint8

const (
	ByWidth        SharedWidth = iota // the key expert_shared_feed_forward_length
	ByCount                           // the key expert_shared_count times the width of an expert
	ByCountOrWidth                    // the first, or else the second; none without a count
)

// specs is the table of the architectures, by name.
var specs = map[string]*Spec{}

func register(s Spec) *Spec {
	specs[s.Name] = &s
	return &s
}

// Lookup returns the description of an architecture.
func Lookup(name string) (*Spec, bool) {
	s, ok := specs[name]
	return s, ok
}

// All returns every architecture in the order of their names.
func All() []*Spec {
	all := make([]*Spec, 0, len(specs))
	for _, s := range specs {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Spec) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// UnknownError tells that no Spec has the name of a file's architecture.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string {
	names := make([]string, 0, len(specs))
	for _, s := range All() {
		names = append(names, s.Name)
	}
	return fmt.Sprintf("arch: unknown architecture %.64q; known are %s", e.Name, strings.Join(names, ", "))
}
