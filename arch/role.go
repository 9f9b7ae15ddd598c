package arch

// A Role is the place of a norm or a matrix in the graph.
type Role string

// The roles of norms. The first two are those of a block: before attention and the FFN,
// or in a post-norm block on the sums of the stream with what these write.
const (
	LN1          Role = "ln1"
	LN2          Role = "ln2"
	BeforeHead   Role = "final"
	OnEmbedding  Role = "embedding"
	OnQueryKey   Role = "qk"    // head by head, or on all heads together; within what stands in place of attention
	AfterBranch  Role = "post"  // on what attention or the FFN writes, before it is added
	OnStreams    Role = "altup" // of what routes between residual streams, and of the inputs of layers
	InClassifier Role = "cls"
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

	QLatent  Role = "q_a"  // makes the latent of queries
	QHeads   Role = "q_b"  // makes the queries of that
	KVLatent Role = "kv_a" // makes the latent of keys and values, and the part of keys that RoPE turns
	KHeads   Role = "k_b"  // makes the keys of that, one matrix a head, stored transposed
	VHeads   Role = "v_b"  // and the values

	In     Role = "in"     // reads the stream for what stands in place of attention, see [Recurrence]
	ScanIn Role = "ssm_x"  // makes what the scan of Mamba reads
	Step   Role = "ssm_dt" // makes the steps of its heads

	// Of AltUp; see [AltUp].
	InputModel   Role = "input_model"
	Widen        Role = "widen"
	Merge        Role = "merge"
	StreamRouter Role = "stream_router"
	Predict      Role = "predict"
	Correct      Role = "correct"
	LaurelL      Role = "laurel_l"
	LaurelR      Role = "laurel_r"
	InputGate    Role = "input_gate"
	InputProject Role = "input_project"

	EmbedProject Role = "project" // makes the residual stream of a narrower embedding

	Dense2     Role = "dense_2" // behind the pooling
	Dense3     Role = "dense_3"
	ClassDense Role = "cls" // of the classification head
	ClassOut   Role = "cls.output"
)
