package geometry

// Spread is a published figure: a mean, the paper's "+-" and, for norms, the
// largest value seen.
type Spread struct{ Mean, SE, Max float64 }

// PublishedModel is a model's row in the paper's tables; nil where the paper
// has no entry or where it is not transcribed here.
type PublishedModel struct {
	Name                     string
	Type                     Type
	Dim, Layers              int
	Angle                    [3]*Spread // Table 2: hidden, post-LN1, post-LN2; degrees
	Norm                     [3]*Spread // Table 3, the same
	RotationLN1, RotationLN2 *Spread    // Table 4, degrees; mean only
}

// PublishedSource names where the figures of Published stand.
const PublishedSource = "Gupta, Ozdemir, Gong, Anumanchipalli: Geometric Interpretation of Layer Normalization and a Comparative Analysis with RMSNorm, arXiv 2409.12951 v2, Tables 2 to 4 (one million Wikipedia tokens per model)"

// Published returns the paper's figures, for the rows of a comparison.
func Published() []PublishedModel {
	s := func(mean, se float64) *Spread { return &Spread{Mean: mean, SE: se} }
	m := func(mean, se, max float64) *Spread { return &Spread{mean, se, max} }
	return []PublishedModel{
		{"GPT-2 XL", LayerNorm, 1600, 48,
			[3]*Spread{s(101.48, 3.20), s(89.95, 1.30), s(89.63, 1.30)},
			[3]*Spread{m(236.85, 37.02, 7186), m(21.42, 0.47, 37.4), m(23.79, 0.49, 38.5)},
			s(30.46, 0), s(32.68, 0)},
		{"GPT-Neo 1.3B", LayerNorm, 2048, 24,
			[3]*Spread{s(89.63, 1.84), s(88.85, 1.82), s(89.47, 1.84)},
			[3]*Spread{}, s(49.09, 0), s(52.82, 0)},
		{"Pythia-1.4B", LayerNorm, 2048, 24,
			[3]*Spread{s(89.88, 1.84), s(88.74, 1.81), s(89.39, 1.83)},
			[3]*Spread{}, s(12.35, 0), s(21.70, 0)},
		{"GPT-J 6B", LayerNorm, 4096, 28,
			[3]*Spread{s(88.74, 1.68), s(89.59, 1.69), nil},
			[3]*Spread{}, s(19.55, 0), nil},
		{"Pythia-6.9B", LayerNorm, 4096, 32,
			[3]*Spread{s(89.27, 1.58), s(89.02, 1.57), s(88.97, 1.57)},
			[3]*Spread{m(216.04, 24.61, 3119), m(79.65, 1.56, 133.6), m(42.18, 1.03, 65.4)},
			s(11.02, 0), s(28.66, 0)},
		{"Llama-2-7B", RMSNorm, 4096, 32,
			[3]*Spread{s(89.47, 0.15), s(89.48, 0.14), s(89.72, 0.15)},
			[3]*Spread{}, s(17.13, 0), s(23.48, 0)},
		{"Llama-3-8B", RMSNorm, 4096, 32,
			[3]*Spread{s(90.01, 0.15), s(90.15, 0.15), s(89.97, 0.15)},
			[3]*Spread{m(12.12, 3.15, 549), m(29.46, 0.59, 46.2), m(21.30, 0.49, 39.7)},
			s(19.64, 0), s(24.55, 0)},
	}
}
