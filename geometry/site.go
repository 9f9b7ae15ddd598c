package geometry

import (
	"fmt"
	"math"
)

// A stage is a place on a vector's way through a norm: what goes in, what is
// standardised (before the gain), and what comes out.
type stage int

const (
	stageIn stage = iota
	stageStd
	stageOut
	numStages
)

// String returns in, std or out.
func (s stage) String() string { return [...]string{"in", "std", "out"}[s] }

// The roles that have a meaning here; see Site.Role.
const (
	roleLN1 = "ln1"
	roleLN2 = "ln2"
	roleQK  = "qk"
)

// kindOf names a norm by the one bit in which the two kinds differ.
func kindOf(center bool) string {
	if center {
		return "layernorm"
	}
	return "rmsnorm"
}

// Site describes one norm of a model.
type Site struct {
	Name  string `json:"site"`  // such as blk.0.attn_norm
	Layer int    `json:"layer"` // from 0; -1 for a norm outside the blocks

	// Role is the place of the norm in its block, a label. Three are known:
	// "ln1" and "ln2", the norms before attention and before the feed-forward
	// network, which the paper's tables are over, and "qk", the norms on queries
	// and keys, which the verdict leaves out, as it does norms without a role.
	Role string `json:"role"`

	Center bool    `json:"center"` // the norm subtracts the mean: LayerNorm; else it is RMSNorm
	Eps    float64 `json:"eps"`
	Dim    int     `json:"dim"`             // the length of the vectors, d
	Heads  int     `json:"heads,omitempty"` // vectors per token; 0 means 1

	// Gain and Bias are what out = gain*std + bias uses: nil for none, of
	// length Dim, or of length Heads*Dim when every head has its own.
	Gain []float32 `json:"-"`
	Bias []float32 `json:"-"`
}

// gainRow is what the inner loop needs of one head's gain and bias.
type gainRow struct {
	gain, bias []float64 // both of length Dim
	energy     float64   // |gain|^2
	ones       bool      // the gain changes nothing
	zeros      bool      // the bias changes nothing
}

// probe is a Site made ready for measuring.
type probe struct {
	Site
	rows []gainRow // one, or one per head
}

func newProbe(s Site) (*probe, error) {
	if s.Heads == 0 {
		s.Heads = 1
	}
	switch {
	case s.Dim < 2 || s.Heads < 1:
		return nil, fmt.Errorf("geometry: site %s: %d heads of dimension %d", s.Name, s.Heads, s.Dim)
	case !(s.Eps >= 0) || math.IsInf(s.Eps, 1):
		return nil, fmt.Errorf("geometry: site %s: eps is %v", s.Name, s.Eps)
	}
	for _, v := range []struct {
		name   string
		values []float32
	}{{"gain", s.Gain}, {"bias", s.Bias}} {
		if n := len(v.values); v.values != nil && n != s.Dim && n != s.Dim*s.Heads {
			return nil, fmt.Errorf("geometry: site %s: %s has %d values, want %d or %d", s.Name, v.name, n, s.Dim, s.Dim*s.Heads)
		}
	}
	p := &probe{Site: s}
	count := 1
	if max(len(s.Gain), len(s.Bias)) > s.Dim {
		count = s.Heads
	}
	for h := range count {
		r := gainRow{gain: head(s.Gain, h, s.Dim, 1), bias: head(s.Bias, h, s.Dim, 0), ones: true, zeros: true}
		for i, g := range r.gain {
			r.energy += g * g
			r.ones = r.ones && g == 1
			r.zeros = r.zeros && r.bias[i] == 0
		}
		p.rows = append(p.rows, r)
	}
	// The collector keeps no view of the model's weights.
	p.Gain, p.Bias = nil, nil
	return p, nil
}

// head widens the values of head h, or fills in the value of their absence.
func head(values []float32, h, d int, absent float64) []float64 {
	out := make([]float64, d)
	if len(values) > d {
		values = values[h*d : (h+1)*d]
	}
	for i := range out {
		out[i] = absent
		if values != nil {
			out[i] = float64(values[i])
		}
	}
	return out
}
