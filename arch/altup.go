package arch

import (
	"fmt"
	"math"

	"github.com/normswap/normswap/gguf"
)

// AltUp describes what Gemma 3n adds to a block. Beside the residual stream that the block
// reads and writes, X_0, there are others (alternating updates; Baykal et al. 2023, arXiv
// 2301.13310). With m(z) = tanh(Router norm(z)/Dim), each block predicts all, computes the
// first, and corrects all by that:
//
//	P_i = X_i + sum of c_ij X_j, c = Predict m(X_0)
//	z = the block's output for P_0
//	X_i = P_i + (1 + (Correct m(z))_i) (z - P_0)
//
// and the others get, besides, norm(InputProject (act(InputGate (CorrectScale X_0)) * e)),
// where e is the layer's own embedding of the token. Attention writes
// (P_0 + attention(y) + y + norm(LaurelR LaurelL y))/sqrt(2), y = AttnNorm(P_0), in place of
// P_0 + attention(y).
type AltUp struct {
	Streams    int // of the residual
	LaurelRank int
	InputWidth int // of the embedding of a layer
	// The gates of the FFN are max(0, gate - mean - Sparsity*(standard deviation)) in the
	// first SparseLayers layers, unless the file has the number for each.
	SparseLayers int
	Sparsity     float64
}

// An AltUpModel is what AltUp has outside the blocks.
type AltUpModel struct {
	InputEmbed   *gguf.Tensor // [InputWidth*Layers, Vocab]
	InputModel   Linear       // makes inputs of all layers of the embedding
	InputNorm    *Norm        // of these
	Widen, Merge Linear       // make the other streams of the first, and add them to it: one matrix each
}

// An AltUpBlock is what AltUp has in a block.
type AltUpBlock struct {
	Router, Predict, Correct Linear
	RouterNorm, CorrectNorm  *Norm        // what Router reads of X_0, and of z; they share a gain
	CorrectScale             *gguf.Tensor // [Dim]
	LaurelL, LaurelR         Linear
	LaurelNorm               *Norm
	InputGate, InputProject  Linear
	InputNorm                *Norm
}

// sparsity reads how sparse the gates of each layer are.
func (r *reader) sparsity(layers int) []float32 {
	all := make([]float32, layers)
	for i := range min(r.spec.AltUp.SparseLayers, layers) {
		all[i] = float32(r.spec.AltUp.Sparsity)
	}
	each := opt(r, keySparsity, []float64(nil))
	if each == nil || r.err != nil {
		return all
	}
	if len(each) != layers {
		r.fail(fmt.Errorf("%s has %d elements, want one for each of %d layers (%s)", r.key(keySparsity), len(each), layers, r.key(keyLayers)))
		return all
	}
	for i, v := range each {
		if !(v >= 0 && v <= math.MaxFloat32) {
			r.fail(fmt.Errorf("%s is %v in layer %d", r.key(keySparsity), v, i))
		}
		all[i] = float32(v)
	}
	return all
}

// altUp binds what stands outside the blocks.
func (b *binder) altUp(h *Hyper) *AltUpModel {
	s := b.spec.AltUp
	all := s.InputWidth * h.Layers
	m := &AltUpModel{
		InputEmbed: b.tensor(WeightName("per_layer_token_embd"), Required, all, h.Vocab),
		InputModel: b.linear(InputModel, InputModel.Name(-1), Required, Absent, h.Dim, all),
		InputNorm:  b.norm(OnStreams, -1, NormSpec{Name: "per_layer_proj_norm", Gain: Required}, s.InputWidth),
		Widen:      b.perHead(Widen, -1, h.Dim, h.Dim, s.Streams-1),
		Merge:      b.perHead(Merge, -1, h.Dim, h.Dim, s.Streams-1),
	}
	m.InputNorm.Groups = h.Layers
	return m
}

// altUpBlock binds what a block has.
func (b *binder) altUpBlock(i int, h *Hyper, l *Block) {
	s := b.spec.AltUp
	linear := func(role Role, in, out int) Linear { return b.linear(role, role.Name(i), Required, Absent, in, out) }
	norm := func(role Role, name string) *Norm {
		return b.norm(role, i, NormSpec{Name: name, Gain: Required}, h.Dim)
	}
	l.AltUp = &AltUpBlock{
		Router: linear(StreamRouter, h.Dim, s.Streams), RouterNorm: norm(OnStreams, "altup_router_norm"),
		Predict: linear(Predict, s.Streams, s.Streams*s.Streams), Correct: linear(Correct, s.Streams, s.Streams),
		CorrectScale: b.tensor(WeightName(block(i, "altup_correct_scale")), Required, h.Dim),
		CorrectNorm:  norm(OnStreams, "altup_router_norm"),
		LaurelL:      linear(LaurelL, h.Dim, s.LaurelRank), LaurelR: linear(LaurelR, s.LaurelRank, h.Dim), LaurelNorm: norm(AfterBranch, "laurel_post_norm"),
		InputGate: linear(InputGate, h.Dim, s.InputWidth), InputProject: linear(InputProject, s.InputWidth, h.Dim), InputNorm: norm(AfterBranch, "post_norm"),
	}
	l.AltUp.CorrectNorm.Site += "_2"
	l.AttnNorm.Kept = true
	l.Sparsity = h.Sparsity[i]
}

// shareKV finds the layers whose keys and values others read: the last ones that have
// their own, with and without a window, in this order.
func (b *binder) shareKV(m *Model) {
	own := b.spec.OwnKV
	for i := own; own > 0 && i < len(m.Blocks) && b.err == nil; i++ {
		l := &m.Blocks[i]
		l.KVFrom = own - 1
		if l.Window > 0 {
			l.KVFrom = own - 2
		}
		if from := &m.Blocks[l.KVFrom]; from.Window != l.Window || from.KVHeads != l.KVHeads {
			b.fail("layer %d reads the keys and values of layer %d, which has another window (%s) or other heads", i, l.KVFrom, b.spec.Key(keyWindowPattern))
		}
		l.K, l.V, l.KNorm, l.VNorm = Linear{}, Linear{}, nil, nil // they are there, and take no part
		if l.Q.B != nil {
			b.warn("%s is ignored in a layer without keys of its own, as llama.cpp does", l.Q.B.Name)
			l.Q.B = nil
		}
	}
}

// CacheHeads is the number of heads whose keys and values a layer keeps.
func (l *Block) CacheHeads() int {
	if l.K.W == nil {
		return 0
	}
	return l.KVHeads
}
