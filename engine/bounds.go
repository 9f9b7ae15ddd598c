package engine

// How much is computed at once, where memory permits.
const (
	// batchTokens is how many tokens a prefill takes through the blocks: enough
	// for the weights to be read and unpacked once for many, few enough for
	// their activations to stay in the second-level cache, and to be small.
	batchTokens = 256
	// headRows is for how many of them there are logits: the head is the
	// largest matrix of many models, and its outputs are the widest rows.
	headRows = 32
)

// minActivations is what the activations of a session may take whatever the
// size of the file, in bytes.
const minActivations = 256 << 20

// widths are those of the rows of a pass, in numbers.
type widths struct {
	work int // of all that one branch of a block computes
	out  int // of what the matrix reads that writes the stream
}

// bounds finds how many tokens a batch may have, so that the activations take
// no more memory than the weights, or a little: metadata and one row of a
// matrix can ask for a lot of both.
func (m *Model) bounds() {
	a, w := m.Arch, &m.widths
	w.work = a.Dim // a position, or what a tap sees
	for i := range m.blocks {
		b := &m.blocks[i]
		q, kv := b.Heads*a.HeadDim, b.KVHeads*a.HeadDim
		attention, ffn := q+2*kv, max(b.FFN, b.SharedFFN)
		if b.kHeads != nil {
			w.out = max(w.out, a.QLatent, b.Heads*a.ValueDim)
			attention += b.Heads*max(a.KeyDim, a.ValueDim) + a.QLatent + a.KVLatent + max(a.KeyDim, a.ValueDim)
		}
		if r := b.recurrence; r != nil {
			attention, w.out = r.work(), max(w.out, r.inner, r.step.w.Cols)
		}
		if b.gate.w.Rows > 0 || b.experts != nil {
			ffn *= 2
		}
		w.work, w.out = max(w.work, attention, ffn), max(w.out, q, b.FFN, b.SharedFFN)
	}
	// The float32 numbers of a row. An input has other forms beside its rows; of
	// the stream there are itself, what a branch writes, and three inputs.
	const forms = 3
	row := 2*a.Dim + w.work + (forms-1)*w.out + 3*forms*a.Dim + 4*a.HeadDim + a.Experts
	if u := a.Spec.AltUp; u != nil {
		row += 2*u.Streams*a.Dim + 4*a.Layers*u.InputWidth + 2*forms*(u.InputWidth+u.LaurelRank)
	}
	room := minActivations
	for i := range m.File.Tensors {
		room = max(room, len(m.File.Tensors[i].Data))
	}
	m.batch = min(max(room/4/row, 1), batchTokens)
	m.headRows = min(max(room/4/a.Vocab, 1), headRows, m.batch)
}
