package arch

// A Role is the place of a norm in the graph.
type Role string

// The roles. The first two are those of the pre-norm transformer.
const (
	BeforeAttention Role = "ln1"
	BeforeFFN       Role = "ln2"
	BeforeHead      Role = "final"
	OnEmbedding     Role = "embedding"
	OnQueryKey      Role = "qk"   // head by head, or on all heads together
	AfterBranch     Role = "post" // on what attention or the FFN writes
)

// Role returns the place of a norm of m.
func (m *Model) Role(n *Norm) Role {
	switch n {
	case m.EmbedNorm:
		return OnEmbedding
	case m.FinalNorm:
		return BeforeHead
	}
	switch b := &m.Blocks[n.Layer]; n {
	case b.AttnNorm:
		return BeforeAttention
	case b.FFNNorm:
		return BeforeFFN
	case b.QNorm, b.KNorm:
		return OnQueryKey
	}
	return AfterBranch
}
