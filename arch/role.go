package arch

// A Role is the place of a norm or a matrix in the graph.
type Role string

// The roles of norms. The first two are those of the pre-norm transformer.
const (
	BeforeAttention Role = "ln1"
	BeforeFFN       Role = "ln2"
	BeforeHead      Role = "final"
	OnEmbedding     Role = "embedding"
	OnQueryKey      Role = "qk"   // head by head, or on all heads together
	AfterBranch     Role = "post" // on what attention or the FFN writes
	OnSum           Role = "sum"  // on the residual sum, which it replaces
	InClassifier    Role = "cls"
)

// The roles of matrices.
const (
	Q      Role = "q"
	K      Role = "k"
	V      Role = "v"
	O      Role = "o" // writes what attention adds to the residual stream
	Gate   Role = "gate"
	Up     Role = "up"
	Down   Role = "down"   // writes what the FFN adds to the residual stream
	Router Role = "router" // scores the experts
	Head   Role = "head"   // reads the logits off the last hidden vector

	Dense2     Role = "dense_2" // behind the pooling
	Dense3     Role = "dense_3"
	ClassDense Role = "cls" // of the classification head
	ClassOut   Role = "cls.output"
)
