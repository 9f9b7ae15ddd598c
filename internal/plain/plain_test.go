package plain

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"a\tb\nc":                 "a\tb\nc",
		"a\x1b[2Jb\r\x00\x7f":     "a�[2Jb���",
		"a\u009b2Jb\u202ec\u2066": "a�2Jb�c�",
		"a\u2028b\u200fc\u061c":   "a�b�c�",
		"caf\xe9 日本語 é":           "caf� 日本語 é",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := Line(" a\n\tb\x1b \r\n"); got != "a b�" {
		t.Errorf("line %q", got)
	}
	if got := Cell("a\nb\tc"); got != "a�b�c" {
		t.Errorf("cell %q", got)
	}
}

func TestJSON(t *testing.T) {
	for _, in := range []string{"plain <|im_start|> é 日本語", "\x00\x1b[2J\x7f\u009b\u202e\u2066\u2028\ufffe\U0001ffff \xff"} {
		for _, indent := range []string{"", " "} {
			var b bytes.Buffer
			if err := WriteJSON(&b, map[string]string{in: in}, indent); err != nil {
				t.Fatal(err)
			}
			for _, r := range b.String() {
				if Unsafe(r) && r != '\n' {
					t.Errorf("%q is written as %q", in, b.String())
				}
			}
			var out map[string]string
			want := strings.ToValidUTF8(in, "\ufffd")
			if err := json.Unmarshal(b.Bytes(), &out); err != nil || out[want] != want {
				t.Errorf("%q comes back as %q, %v", in, out, err)
			}
			if in[0] == 'p' && !strings.Contains(b.String(), in) {
				t.Errorf("%q is not legible: %s", in, b.String())
			}
		}
	}
}

func TestPercent(t *testing.T) {
	for in, want := range map[float64]string{
		0: "0 %", 1: "100 %", 0.33: "33 %", 0.999: "99.9 %", 0.99996: "99.996 %", 0.995: "99.5 %", 0.0123: "1.2 %", 0.00123: "0.12 %", 1.2e-7: "1.2e-05 %",
		1.2e-5: "0.0012 %", 4.25: "425 %", -0.012: "-1.2 %", 12345: "1234500 %",
	} {
		if got := Percent(in); got != want {
			t.Errorf("%v: %q, want %q", in, got, want)
		}
	}
	if got := Percent(math.Inf(1)); got != "+Inf %" {
		t.Errorf("%q", got)
	}
	for in, want := range map[float64]string{12.34567: "12.3457", 999999.5: "999999.5000", 1e6: "1e+06", 1.23456e200: "1.235e+200", -2e7: "-2e+07", math.Inf(1): "+Inf"} {
		if got := Fixed(in, 4); got != want {
			t.Errorf("%v: %q, want %q", in, got, want)
		}
	}
	if Count(1, "norm") != "1 norm" || Count(0, "norm") != "0 norms" || Count(12, "norm") != "12 norms" {
		t.Error("wrong plural")
	}
}
