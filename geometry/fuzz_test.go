package geometry

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// FuzzReadState: whatever a part of a run says, it is refused, or merges with
// itself as another shard and gives a result that is JSON.
func FuzzReadState(f *testing.F) {
	s := newStream(7, 2*window)
	c := s.collector(f, Options{Top: 2, CheckEvery: 4})
	s.feed(c, 0, 2, window)
	step := 3
	c.State().Run, c.State().Step, c.State().Shards = "run", &step, []Shard{{0, 2}}
	c.State().Swap = []SwapMode{{"native", 8, 0, 1, 3}, {"rms-naive", 8, 0.1, 0.5, 4}}
	f.Add(marshal(f, c.State()))
	small, err := NewCollector(Model{Name: "m"}, []Site{{Name: "n", Role: "ln1", Center: true, Dim: 2}}, Options{Top: 1})
	if err != nil {
		f.Fatal(err)
	}
	small.Add(Batch{Tokens: []int32{1}, In: []float32{1, 3}, Out: []float32{-1, 1}})
	f.Add(marshal(f, small.State()))
	f.Add([]byte(`{"schema":"` + StateSchema + `","top":-1,"sites":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		state, err := ReadState(b)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "geometry: ") {
				t.Errorf("the error is %v", err)
			}
			return
		}
		again, err := ReadState(marshal(t, state))
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		for i, h := range again.Shards {
			again.Shards[i].Index = (h.Index + 1) % h.Count
		}
		if !slices.ContainsFunc(again.Shards, func(h Shard) bool { return slices.Contains(state.Shards, h) }) {
			if err := state.Merge(again); err != nil && !strings.HasPrefix(err.Error(), "geometry: ") {
				t.Errorf("the error is %v", err)
			}
		}
		state.Missing()
		r, err := state.Result(true)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteJSON(&out, r); err != nil || !json.Valid(out.Bytes()) {
			t.Errorf("the result is no JSON: %v", err)
		}
	})
}
