package eval

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/normswap/normswap/engine"
)

// What cannot be statistics is no part of a run, and the error says where.
func TestParseChecks(t *testing.T) {
	native := open(t, "archs/gpt2.gguf", engine.Options{})
	naive, err := native.Variant(t.Context(), engine.Options{Norm: engine.RMSNaive})
	if err != nil {
		t.Fatal(err)
	}
	defer naive.Close()
	ids, _, err := Text(t.Context(), native, "", 64)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), []*engine.Model{native, naive}, []string{"native", "rms-naive"}, ids, Options{Context: 32})
	if err != nil {
		t.Fatal(err)
	}
	r.Kind = Compare
	edited := func(change func(report, state map[string]any)) []byte {
		b, err := r.MarshalPart()
		if err != nil {
			t.Fatal(err)
		}
		var report map[string]any
		if err := json.Unmarshal(b, &report); err != nil {
			t.Fatal(err)
		}
		change(report, report["norms"].([]any)[1].(map[string]any)["state"].(map[string]any))
		if b, err = json.Marshal(report); err != nil {
			t.Fatal(err)
		}
		return b
	}
	if _, err := Parse(edited(func(_, _ map[string]any) {})); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(report, state map[string]any){
		"shard 1 of 1":       func(r, _ map[string]any) { r["shards"] = []int{1} },
		"of 10000000 shards": func(r, _ map[string]any) { r["of"] = 10_000_000 },
		"figures of rms-naive: nll: a mean of 1e+200":         func(_, s map[string]any) { s["nll"].(map[string]any)["mean"] = 1e200 },
		"figures of rms-naive: dnll: they are of 0":           func(_, s map[string]any) { s["dnll"] = nil },
		"figures of rms-naive: kl: a mean of":                 func(_, s map[string]any) { s["kl"].(map[string]any)["m2"] = -1 },
		"figures of rms-naive: kl_bins: its histogram has 31": func(_, s map[string]any) { s["kl_bins"].(map[string]any)["zero"] = 1 },
		"figures of rms-naive: kl_bins: bin 99999 has 1":      func(_, s map[string]any) { s["kl_bins"].(map[string]any)["bins"] = map[string]int{"99999": 1} },
		"figures of rms-naive: same_top: -1":                  func(_, s map[string]any) { s["same_top"] = 31 },
		"figures of rms-naive: seconds: -1":                   func(_, s map[string]any) { s["seconds"] = -1 },
		"figures of rms-naive: swap at blk.0.attn_norm":       func(_, s map[string]any) { s["swaps"].([]any)[0].(map[string]any)["measured"] = nil },
	} {
		if _, err := Parse(edited(change)); err == nil || !strings.HasPrefix(err.Error(), "eval: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
