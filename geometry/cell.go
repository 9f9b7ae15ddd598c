package geometry

import "fmt"

// beyond are the deviations from 90 degrees whose exceeding is counted.
var beyond = [3]float64{1, 2, 5}

// stageCell holds the statistics of one stage.
type stageCell struct {
	Norm       stat      `json:"norm"`
	Angle      stat      `json:"angle"` // with 1, degrees
	Share      moments   `json:"share"` // cos^2 of the angle
	Degenerate uint64    `json:"degenerate"`
	Beyond     [3]uint64 `json:"beyond"` // |angle - 90| > 1, 2, 5 degrees
}

// cell holds the statistics of a set of vectors at one site. It is plain data
// that marshals to JSON without loss.
type cell struct {
	Count     uint64               `json:"count"`      // vectors
	NonFinite uint64               `json:"non_finite"` // of them, left out of everything below
	Stages    [numStages]stageCell `json:"stages"`
	Rotations [numRotations]stat   `json:"rotations"`
	Swap      stat                 `json:"swap"`
	Measured  stat                 `json:"measured"`
	Checks    [numChecks]moments   `json:"checks"`
}

func newCell() *cell {
	c := &cell{Swap: newStat(logScale), Measured: newStat(logScale)}
	for i := range c.Stages {
		c.Stages[i].Norm, c.Stages[i].Angle = newStat(logScale), newStat(degreeScale)
	}
	for i := range c.Rotations {
		c.Rotations[i] = newStat(degreeScale)
	}
	return c
}

// add takes the vectors lo to hi of q, which holds quantity k of vector i at
// q[k*stride + i].
func (c *cell) add(q []float64, stride, lo, hi int) {
	row := func(k int) []float64 { return q[k*stride+lo : k*stride+hi] }
	c.Count += uint64(hi - lo)
	for _, norm := range row(qStages) {
		if norm != norm {
			c.NonFinite++
		}
	}
	for s := range c.Stages {
		k := qStages + 3*s
		c.Stages[s].add(row(k), row(k+1), row(k+2))
	}
	for r := range c.Rotations {
		c.Rotations[r].Add(row(qRotation + r)...)
	}
	c.Swap.Add(row(qSwap)...)
	c.Measured.Add(row(qMeasured)...)
	for i, v := range row(qChecks) {
		if v != v {
			continue // not sampled
		}
		for k := range c.Checks {
			c.Checks[k].Add(q[(qChecks+k)*stride+lo+i])
		}
	}
}

func (s *stageCell) add(norm, angle, share []float64) {
	s.Norm.Add(norm...)
	s.Angle.Add(angle...)
	s.Share.Add(share...)
	for i, a := range angle {
		if norm[i] == 0 || a < uniformTan*degrees || 180-a < uniformTan*degrees {
			s.Degenerate++
		}
		for j, b := range beyond {
			if a-90 > b || 90-a > b {
				s.Beyond[j]++
			}
		}
	}
}

// Merge adds the vectors that o has seen.
func (c *cell) Merge(o *cell) error {
	c.Count += o.Count
	c.NonFinite += o.NonFinite
	var err error
	stat := func(a, b *stat) {
		if e := a.Merge(b); e != nil && err == nil {
			err = e
		}
	}
	for i := range c.Stages {
		a, b := &c.Stages[i], &o.Stages[i]
		stat(&a.Norm, &b.Norm)
		stat(&a.Angle, &b.Angle)
		a.Share.Merge(b.Share)
		a.Degenerate += b.Degenerate
		for j := range a.Beyond {
			a.Beyond[j] += b.Beyond[j]
		}
	}
	for i := range c.Rotations {
		stat(&c.Rotations[i], &o.Rotations[i])
	}
	stat(&c.Swap, &o.Swap)
	stat(&c.Measured, &o.Measured)
	for i := range c.Checks {
		c.Checks[i].Merge(o.Checks[i])
	}
	return err
}

// siteState is one site and what it has seen, the vectors of position 0 apart
// from the rest. The lists hold the vectors of stage in that stand out.
type siteState struct {
	Site
	First    *cell     `json:"first"`
	Rest     *cell     `json:"rest"`
	TopAngle []Extreme `json:"top_angle"`
	TopNorm  []Extreme `json:"top_norm"`
}

// cell returns the statistics of all positions, or of those after the first.
func (s *siteState) cell(skipFirst bool) (*cell, error) {
	if skipFirst {
		return s.Rest, nil
	}
	all := newCell()
	for _, c := range []*cell{s.First, s.Rest} {
		if err := all.Merge(c); err != nil {
			return nil, fmt.Errorf("%w at site %s", err, s.Name)
		}
	}
	return all, nil
}

func (s *siteState) merge(o *siteState, k int) error {
	// The name is compared by the caller.
	if err := s.First.Merge(o.First); err != nil {
		return fmt.Errorf("%w at site %s", err, s.Name)
	}
	if err := s.Rest.Merge(o.Rest); err != nil {
		return fmt.Errorf("%w at site %s", err, s.Name)
	}
	for _, e := range o.TopAngle {
		s.TopAngle = top(s.TopAngle, k, e, byAngle)
	}
	for _, e := range o.TopNorm {
		s.TopNorm = top(s.TopNorm, k, e, byNorm)
	}
	return nil
}
