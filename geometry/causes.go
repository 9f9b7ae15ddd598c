package geometry

import "math"

// Causes are where a mean in the residual stream can come from: what the
// weights put along 1 whatever the text. The runner feeds the weights to
// [RowStats], [ColumnMeans] and [VectorStats].
type Causes struct {
	Embedding *RowCause     `json:"embedding,omitempty"`
	Writers   []WriterCause `json:"writers,omitempty"` // attn_output, ffn_down ...
	Norms     []NormCause   `json:"norms,omitempty"`
}

// RowCause describes the rows of an embedding matrix, one token each.
type RowCause struct {
	Name  string  `json:"name"`
	Rows  uint64  `json:"rows"`
	Mean  float64 `json:"mean"`         // of the row means
	SD    float64 `json:"sd"`           // of the row means
	Share float64 `json:"energy_share"` // of all rows along 1
	Null  float64 `json:"null"`         // 1/d
	Angle Summary `json:"angle"`        // of a row with 1, degrees
}

// RowStats collects a RowCause. The zero value is ready.
type RowStats struct {
	mean          moments
	angle         stat
	along, energy float64
	dim           int
}

// Add takes one row, of length d.
func (r *RowStats) Add(row []float32) {
	if r.dim == 0 {
		r.angle = newStat(degreeScale)
	}
	r.dim = len(row)
	norm, angle, share := Uniform(row)
	r.mean.Add(sum(row) / float64(len(row)))
	r.angle.Add(angle)
	r.energy += norm * norm
	r.along += norm * norm * share
}

// Cause returns what the rows have shown.
func (r *RowStats) Cause(name string) RowCause {
	c := RowCause{Name: name, Rows: r.mean.N, Mean: r.mean.Mean, SD: r.mean.SD(), Angle: r.angle.Summary()}
	if r.energy > 0 {
		c.Share, c.Null = r.along/r.energy, 1/float64(r.dim)
	}
	return c
}

// WriterCause describes a matrix that writes into the residual stream: its
// column means are what it adds to the mean for each of its inputs.
type WriterCause struct {
	Name    string  `json:"name"`
	Layer   int     `json:"layer"`
	RMS     float64 `json:"rms"`          // of the entries
	MeanRMS float64 `json:"mean_rms"`     // of the column means
	Share   float64 `json:"energy_share"` // of the output along 1, for white input
	Null    float64 `json:"null"`         // 1/d
	Bias    float64 `json:"bias_mean"`    // of the writer's bias; 0 without one
}

// ColumnMeans collects a WriterCause from the rows of the matrix, one for
// each of the d outputs, in any order.
type ColumnMeans struct {
	sums   []float64
	energy float64
	rows   int
}

// Add takes one row, of length inputs.
func (c *ColumnMeans) Add(row []float32) {
	if c.sums == nil {
		c.sums = make([]float64, len(row))
	}
	for i, v := range row {
		w := float64(v)
		c.sums[i] += w
		c.energy += w * w
	}
	c.rows++
}

// Means returns the column means, one per input.
func (c *ColumnMeans) Means() []float64 {
	out := make([]float64, len(c.sums))
	for i, s := range c.sums {
		out[i] = s / float64(c.rows)
	}
	return out
}

// Cause returns what the rows have shown; bias, which may be nil, is the
// writer's.
func (c *ColumnMeans) Cause(name string, layer int, bias []float32) WriterCause {
	w := WriterCause{Name: name, Layer: layer}
	if c.rows == 0 || len(c.sums) == 0 {
		return w
	}
	square := 0.0
	for _, m := range c.Means() {
		square += m * m
	}
	n := float64(len(c.sums))
	d := float64(c.rows)
	w.RMS, w.MeanRMS, w.Null = math.Sqrt(c.energy/(n*d)), math.Sqrt(square/n), 1/d
	if c.energy > 0 {
		w.Share = d * square / c.energy
	}
	if len(bias) > 0 {
		w.Bias = sum(bias) / float64(len(bias))
	}
	return w
}

// NormCause describes the gain and bias of a norm. The mean of the bias is
// what the norm's output carries along 1 whatever it reads; a spread gain
// turns vectors, and turns 1 itself by GainAngle.
type NormCause struct {
	Site      string     `json:"site"`
	Gain      VectorMean `json:"gain"`
	Bias      VectorMean `json:"bias"`
	GainAngle float64    `json:"gain_angle"` // of the gain with 1, degrees
	// Response is |W(g*1)| / |W diag(g)|_F over the matrices W behind a gain g: how much
	// they make of a mean; 1 by chance, 0 where no matrix reads the norm.
	Response float64 `json:"reader_response,omitempty"`
}

// VectorMean is the mean and spread of a weight vector.
type VectorMean struct {
	Count int     `json:"count"` // 0 when the model has no such vector
	Mean  float64 `json:"mean"`
	SD    float64 `json:"sd"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
}

// VectorStats describes a gain and a bias, either of which may be nil.
func VectorStats(site string, gain, bias []float32) NormCause {
	c := NormCause{Site: site, Gain: vectorMean(gain), Bias: vectorMean(bias)}
	if len(gain) > 0 {
		if _, angle, _ := Uniform(gain); angle == angle {
			c.GainAngle = angle
		}
	}
	return c
}

func vectorMean(x []float32) VectorMean {
	var m moments
	for _, v := range x {
		m.Add(float64(v))
	}
	return VectorMean{Count: len(x), Mean: m.Mean, SD: m.SD(), Min: m.Min, Max: m.Max}
}
