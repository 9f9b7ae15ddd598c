package geometry

import (
	"fmt"
	"io"

	"github.com/normswap/normswap/internal/plain"
)

// resultSchema marks geometry.json.
const resultSchema = "normswap.geometry/1"

// Result is geometry.json: the finished figures of one model.
type Result struct {
	Schema string `json:"schema"`
	Model  Model  `json:"model"`
	Tokens uint64 `json:"tokens"`
	Origin

	Figures
	// WithoutFirst repeats every figure for the positions after the first of
	// each text window; nil when that was not asked for.
	WithoutFirst *Figures `json:"without_position_0,omitempty"`

	Extremes Extremes `json:"extremes"`
	Verdict  string   `json:"verdict"`
}

// Figures are the statistics of a set of positions. Sites has three entries for
// each site, for what goes in, what is standardised and what comes out;
// Rotations and Effects have one.
type Figures struct {
	Sites     []SiteFigures     `json:"sites"`
	Rotations []RotationFigures `json:"rotations"`
	Effects   []EffectFigures   `json:"effects"`
	Tables    Tables            `json:"tables"`
}

// SiteFigures are the figures of one stage of one site.
type SiteFigures struct {
	Site       string  `json:"site"`
	Layer      int     `json:"layer"`
	Role       string  `json:"role"`
	Type       string  `json:"type"` // layernorm or rmsnorm
	Eps        float64 `json:"eps"`
	Dim        int     `json:"dim"`
	Stage      string  `json:"stage"` // in, std or out
	Count      uint64  `json:"count"`
	Degenerate uint64  `json:"degenerate"`
	NonFinite  uint64  `json:"non_finite"`
	Norm       Summary `json:"norm"`
	Angle      Summary `json:"angle"`   // with 1, degrees
	NullSD     float64 `json:"null_sd"` // of the angle of a random direction, degrees
	Share      Share   `json:"energy_share"`
	Beyond     Beyond  `json:"beyond"`
	Histogram  struct {
		Coarse Bars `json:"coarse"` // 1 degree over 0 to 180
		Fine   Bars `json:"fine"`   // 0.05 degrees over 84 to 96
	} `json:"angle_histogram"`
}

// Share is the energy along 1, a fraction of |x|^2.
type Share struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
	Max  float64 `json:"max"`
	Null float64 `json:"null"` // 1/d, the mean over random directions
}

// Beyond is the fraction of vectors whose angle with 1 is further from 90
// degrees than 1, 2 and 5 degrees.
type Beyond struct {
	Deg1 float64 `json:"deg1"`
	Deg2 float64 `json:"deg2"`
	Deg5 float64 `json:"deg5"`
}

// RotationFigures are the angles between the stages of one site, in degrees.
type RotationFigures struct {
	Site     string  `json:"site"`
	Layer    int     `json:"layer"`
	Role     string  `json:"role"`
	InOut    Summary `json:"in_out"`
	InStd    Summary `json:"in_std"`
	StdGain  Summary `json:"std_gain"`
	GainBias Summary `json:"gain_bias"`
}

// EffectFigures say what one norm does to the spread, what exchanging it for
// the other norm would do, and how well the run obeys the identities.
type EffectFigures struct {
	Site  string `json:"site"`
	Layer int    `json:"layer"`
	Role  string `json:"role"`
	// SDReduction is sd(|in|)/sd(|out|); 0 when the output has no spread.
	SDReduction float64 `json:"sd_reduction"`
	// Swap is |out of the other norm - out|/|out| by identity 1.
	Swap Summary `json:"output_change_predicted"`
	// MeasuredSwap is the same from Batch.Swapped; nil without.
	MeasuredSwap *Summary `json:"output_change_measured,omitempty"`
	Checks       Checks   `json:"checks"`
}

// Checks are the largest residuals of the three identities over the sampled
// vectors: rounding errors, in a correct program.
type Checks struct {
	Count      uint64  `json:"count"`
	Decompose  float64 `json:"decompose"`
	Rotate     float64 `json:"rotate_degrees"`
	Energy     float64 `json:"energy"`
	Definition float64 `json:"definition"` // |out - (gain*std + bias)|/|out|
}

// Extremes are the vectors of stage in that stand out, over all sites.
type Extremes struct {
	Angle []SiteExtreme `json:"angle"` // furthest from 90 degrees
	Norm  []SiteExtreme `json:"norm"`
}

// SiteExtreme is an Extreme and where it was.
type SiteExtreme struct {
	Site  string `json:"site"`
	Layer int    `json:"layer"`
	Extreme
	Text string `json:"text,omitempty"` // of the token
}

// Result computes the figures; with skipFirst those without position 0 too.
func (s *State) Result(skipFirst bool) (*Result, error) {
	r := &Result{Schema: resultSchema, Model: s.Model, Tokens: s.Tokens(), Origin: s.Origin}
	all, err := s.figures(false)
	if err != nil {
		return nil, err
	}
	r.Figures = *all
	if skipFirst {
		if r.WithoutFirst, err = s.figures(true); err != nil {
			return nil, err
		}
	}
	r.Extremes = s.extremes()
	r.Verdict = verdict(r)
	return r, nil
}

func (s *State) figures(skipFirst bool) (*Figures, error) {
	f := &Figures{Sites: []SiteFigures{}, Rotations: []RotationFigures{}, Effects: []EffectFigures{}}
	cells := make([]*cell, len(s.sites))
	for i, site := range s.sites {
		c, err := site.cell(skipFirst)
		if err != nil {
			return nil, err
		}
		cells[i] = c
		for stage := range numStages {
			f.Sites = append(f.Sites, siteFigures(&site.Site, c, stage))
		}
		f.Rotations = append(f.Rotations, RotationFigures{
			Site: site.Name, Layer: site.Layer, Role: site.Role,
			InOut: c.Rotations[inOut].Summary(), InStd: c.Rotations[inStd].Summary(),
			StdGain: c.Rotations[stdGain].Summary(), GainBias: c.Rotations[gainBias].Summary(),
		})
		f.Effects = append(f.Effects, effectFigures(&site.Site, c))
	}
	f.Tables = tables(s.sites, cells)
	return f, nil
}

func siteFigures(site *Site, c *cell, stage stage) SiteFigures {
	s := &c.Stages[stage]
	f := SiteFigures{
		Site: site.Name, Layer: site.Layer, Role: site.Role, Type: kindOf(site.Center), Eps: site.Eps, Dim: site.Dim,
		Stage: stage.String(), Count: c.Count, Degenerate: s.Degenerate, NonFinite: c.NonFinite,
		Norm: s.Norm.Summary(), Angle: s.Angle.Summary(), NullSD: NullAngleSD(site.Dim),
		Share: Share{Mean: s.Share.Mean, SD: s.Share.SD(), Max: s.Share.Max, Null: 1 / float64(site.Dim)},
	}
	if n := float64(s.Angle.N); n > 0 {
		f.Beyond = Beyond{float64(s.Beyond[0]) / n, float64(s.Beyond[1]) / n, float64(s.Beyond[2]) / n}
	}
	f.Histogram.Coarse = s.Angle.Hist.Bars(0, 180, 1)
	f.Histogram.Fine = s.Angle.Hist.Bars(84, 96, 0.05)
	return f
}

func effectFigures(site *Site, c *cell) EffectFigures {
	f := EffectFigures{
		Site: site.Name, Layer: site.Layer, Role: site.Role, Swap: c.Swap.Summary(),
		Checks: Checks{c.Checks[0].N, c.Checks[0].Max, c.Checks[1].Max, c.Checks[2].Max, c.Checks[3].Max},
	}
	if c.Measured.N > 0 {
		m := c.Measured.Summary()
		f.MeasuredSwap = &m
	}
	if sd := c.Stages[stageOut].Norm.SD(); sd > 0 {
		f.SDReduction = c.Stages[stageIn].Norm.SD() / sd
	}
	return f
}

func (s *State) extremes() Extremes {
	// Sites come in graph order, so ties keep to it.
	pick := func(list func(*siteState) []Extreme, order func(a, b Extreme) int) []SiteExtreme {
		out := []SiteExtreme{}
		for _, site := range s.sites {
			for _, e := range list(site) {
				i := len(out)
				for i > 0 && order(e, out[i-1].Extreme) < 0 {
					i--
				}
				if i < s.top {
					out = append(out[:i], append([]SiteExtreme{{site.Name, site.Layer, e, s.tokenText[e.Token]}}, out[i:]...)...)
					out = out[:min(len(out), s.top)]
				}
			}
		}
		return out
	}
	return Extremes{
		Angle: pick(func(x *siteState) []Extreme { return x.TopAngle }, byAngle),
		Norm:  pick(func(x *siteState) []Extreme { return x.TopNorm }, byNorm),
	}
}

// WriteJSON writes geometry.json: the one result, or {"models": [...]}.
func WriteJSON(w io.Writer, results ...*Result) error {
	var v any = map[string]any{"models": results}
	if len(results) == 1 {
		v = results[0]
	}
	if err := plain.WriteJSON(w, v, " "); err != nil {
		return fmt.Errorf("geometry: %w", err)
	}
	return nil
}
