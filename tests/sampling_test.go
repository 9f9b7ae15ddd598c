package tests

import "testing"

// Values that other tools give a meaning have it here, or are refused.
func TestSamplingValues(t *testing.T) {
	run := func(args ...string) string {
		return works(t, append([]string{"-p", "Once upon a time there was", "--top-k", "0", "--min-p", "0", "--temp", "1.5", "-n", "12", "--seed", "1"}, args...)...)
	}
	one := run("--top-p", "1e-9")
	if got := run("--top-p", "0"); got != one {
		t.Errorf("--top-p 0 gives %q, --top-p 1e-9 %q", got, one)
	}
	if all := run("--top-p", "1"); all == one {
		t.Errorf("--top-p 1 gives %q, like --top-p 1e-9", all)
	}
	infer(t, "-p", "Once", "--repeat-penalty", "0").fails(t, 2, "--repeat-penalty 0", "divided")
}
