package engine

// How much is computed at once, where memory permits.
const (
	// batchTokens is how many tokens a prefill takes through the blocks: enough
	// for the weights to be read once for many, few enough for their
	// activations to stay in the caches.
	batchTokens = 512
	// headRows is for how many of them there are logits: the head is the
	// largest matrix of many models, and its outputs are the widest rows.
	headRows = 32
)

// minActivations is what the activations of a session may take whatever the
// size of the file, in bytes.
const minActivations = 256 << 20

// widths are those of the vectors of a model: blocks may differ.
type widths struct {
	att, ffn            map[int]bool // all that occur: outputs of the heads, hidden vectors
	maxQ, maxKV, maxFFN int
}

// bounds finds how many tokens a batch may have, so that the activations take
// no more memory than the weights, or a little: metadata and one row of a
// matrix can ask for a lot of both.
func (m *Model) bounds() {
	a, w := m.Arch, &m.widths
	w.att, w.ffn = map[int]bool{}, map[int]bool{}
	for i := range m.blocks {
		b := &m.blocks[i]
		q, kv := b.Heads*a.HeadDim, b.KVHeads*a.HeadDim
		w.att[q], w.ffn[b.FFN] = true, true
		w.maxQ, w.maxKV, w.maxFFN = max(w.maxQ, q), max(w.maxKV, kv), max(w.maxFFN, b.FFN)
	}
	// The float32 numbers of a token. A batch of inputs has other forms beside.
	const forms = 3
	row := (2+4*forms)*a.Dim + w.maxQ + 2*w.maxKV + w.maxFFN + 4*a.HeadDim + a.Experts
	for n := range w.att {
		row += forms * n
	}
	for n := range w.ffn {
		row += forms * n
	}
	room := minActivations
	for i := range m.File.Tensors {
		room = max(room, len(m.File.Tensors[i].Data))
	}
	m.batch = min(max(room/4/row, 1), batchTokens)
	m.headRows = min(max(room/4/a.Vocab, 1), headRows)
}
