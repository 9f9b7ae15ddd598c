package geometry

import (
	"cmp"
	"math"
	"slices"
)

// Extreme is a vector that stands out, and the token it belongs to. Norm and
// Angle are those of the stage in.
type Extreme struct {
	Token int32   `json:"token"`
	Block int     `json:"block,omitempty"` // of a long text
	Seq   int     `json:"seq"`
	Pos   int     `json:"pos"`
	Head  int     `json:"head,omitempty"`
	Norm  float64 `json:"norm"`
	Angle float64 `json:"angle"`
}

// deviation is the distance of e from the right angle, in degrees.
func (e Extreme) deviation() float64 { return math.Abs(e.Angle - 90) }

// byAngle and byNorm order by deviation and norm, larger first, and then by
// place, so that merged lists are those of one run.
func byAngle(a, b Extreme) int {
	if c := cmp.Compare(b.deviation(), a.deviation()); c != 0 {
		return c
	}
	return byPlace(a, b)
}

func byNorm(a, b Extreme) int {
	if c := cmp.Compare(b.Norm, a.Norm); c != 0 {
		return c
	}
	return byPlace(a, b)
}

func byPlace(a, b Extreme) int {
	return cmp.Or(cmp.Compare(a.Block, b.Block), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Pos, b.Pos), cmp.Compare(a.Head, b.Head))
}

// top inserts e into the sorted list and keeps the first k.
func top(list []Extreme, k int, e Extreme, order func(a, b Extreme) int) []Extreme {
	if len(list) >= k && (k == 0 || order(e, list[len(list)-1]) >= 0) {
		return list
	}
	i, _ := slices.BinarySearchFunc(list, e, order)
	list = slices.Insert(list, i, e)
	return list[:min(len(list), k)]
}
