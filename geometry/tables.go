package geometry

import "math"

// Tables are the paper's Tables 2 to 4 for this model. An entry is nil where
// the model has no such norm.
type Tables struct {
	Angle    Row      `json:"angle"`    // Table 2: angle with 1, degrees
	Norm     Row      `json:"norm"`     // Table 3: L2 norm
	Rotation Rotating `json:"rotation"` // Table 4: angle between in and out, degrees
}

// Row is a figure before and after the norms of the blocks. Hidden is what
// the first norm of each block reads.
type Row struct {
	Hidden  *Entry `json:"hidden"`
	PostLN1 *Entry `json:"post_ln1"`
	PostLN2 *Entry `json:"post_ln2"`
}

// Rotating is the rotation by each of the norms of the blocks.
type Rotating struct {
	LN1 *Entry `json:"ln1"`
	LN2 *Entry `json:"ln2"`
}

// Entry pools the layers of a model.
type Entry struct {
	Layers int     `json:"layers"`
	Mean   float64 `json:"mean"`
	// SDTokens is the standard deviation over all tokens of all layers.
	SDTokens float64 `json:"sd_tokens"`
	// SELayers is the paper's "+-": the standard deviation within one layer
	// (root mean square over the layers) divided by sqrt(layers).
	SELayers float64 `json:"se_layers"`
	Max      float64 `json:"max"`
}

func tables(sites []*siteState, cells []*cell) Tables {
	pool := func(role string, pick func(*cell) *stat) *Entry {
		var all moments
		var e Entry
		variance := 0.0
		for i, site := range sites {
			m := pick(cells[i]).moments
			if site.Role != role || m.N == 0 {
				continue
			}
			e.Layers++
			variance += m.SD() * m.SD()
			all.Merge(m)
		}
		if e.Layers == 0 {
			return nil
		}
		e.Mean, e.SDTokens, e.Max = all.Mean, all.SD(), all.Max
		e.SELayers = math.Sqrt(variance) / float64(e.Layers)
		return &e
	}
	row := func(pick func(*stageCell) *stat) Row {
		at := func(s stage) func(*cell) *stat {
			return func(c *cell) *stat { return pick(&c.Stages[s]) }
		}
		return Row{Hidden: pool(roleLN1, at(stageIn)), PostLN1: pool(roleLN1, at(stageOut)), PostLN2: pool(roleLN2, at(stageOut))}
	}
	whole := func(c *cell) *stat { return &c.Rotations[inOut] }
	return Tables{
		Angle:    row(func(s *stageCell) *stat { return &s.Angle }),
		Norm:     row(func(s *stageCell) *stat { return &s.Norm }),
		Rotation: Rotating{LN1: pool(roleLN1, whole), LN2: pool(roleLN2, whole)},
	}
}
