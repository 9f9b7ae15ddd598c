package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func sample() *Table {
	t := &Table{
		Title: "Speed",
		Columns: []Column{
			{Key: "model", Name: "model", Left: true},
			{Key: "tps", Name: "speed", Unit: "t/s", Format: "%.1f"},
			{Key: "n", Name: "runs"},
			{Key: "ok"},
		},
		Notes: []string{"a note"},
	}
	t.Add("a|b \x1b[2J<é>", Spread{12.345, 0.251}, 5, true)
	t.Add("c", nil, int64(12), false)
	t.Add("\"d\", e", math.NaN(), nil, math.Inf(1))
	return t
}

func write(t *testing.T, f Format) string {
	t.Helper()
	var b bytes.Buffer
	if err := sample().Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	want := `Speed

model        speed (t/s)  runs    ok
───────────  ───────────  ────  ────
a|b �[2J<é>   12.3 ± 0.3     5   yes
c                      -    12    no
"d", e                 -     -  +Inf
a note
`
	if got := write(t, Text); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestUnknownDeviation(t *testing.T) {
	table := &Table{Columns: []Column{{Key: "a", Format: "%.1f"}}}
	table.Add(Spread{1, math.NaN()})
	table.Add(Spread{math.Inf(1), math.Inf(1)})
	if got := table.String(); !strings.Contains(got, "1.0 ± ?") || !strings.Contains(got, "+Inf ± ?") {
		t.Errorf("got\n%s", got)
	}
}

func TestLargeNumbers(t *testing.T) {
	table := &Table{Columns: []Column{{Key: "a", Format: "%.4f"}, {Key: "b", Format: "%.0f"}}}
	table.Add(1.23456e200, 12345678.)
	if got := table.String(); !strings.Contains(got, "1.235e+200") || !strings.Contains(got, "12345678") {
		t.Errorf("got\n%s", got)
	}
}

func TestNarrow(t *testing.T) {
	want := `Speed

model        speed (t/s)  runs
───────────  ───────────  ────
a|b �[2J<é>   12.3 ± 0.3     5
c                      -    12
"d", e                 -     -

model          ok
───────────  ────
a|b �[2J<é>   yes
c              no
"d", e       +Inf
a note, longer than what a
line of the table holds
`
	table := sample()
	table.Width = 30
	table.Notes = []string{"a note, longer than what a line of the table holds"}
	if got := table.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	table.Width = 1 // one column beside the first, whatever that takes
	if got := strings.Count(table.String(), "model"); got != 3 {
		t.Errorf("%d parts, want 3:\n%s", got, table)
	}
}

// Every part of a table that is cut says which row is which, and a deviation stays
// beside its mean.
func TestNarrowKeys(t *testing.T) {
	table := &Table{Width: 24, Columns: []Column{
		{Key: "model", Left: true}, {Key: "site", Left: true}, {Key: "hidden"}, {Key: "sd", Tied: true}, {Key: "post"}, {Key: "sd", Tied: true}}}
	table.Add("m", "ln1", 1, 2, 3, 4)
	table.Add("m", "ln2", 5, 6, 7, 8)
	want := `model: m

site  hidden  sd
────  ──────  ──
ln1        1   2
ln2        5   6

site  post  sd
────  ────  ──
ln1      3   4
ln2      7   8
`
	if got := table.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	table.Rows[1][0] = "n"
	want = `model  site  hidden  sd
─────  ────  ──────  ──
m      ln1        1   2
n      ln2        5   6

model  site  post  sd
─────  ────  ────  ──
m      ln1      3   4
n      ln2      7   8
`
	if table.Width = 25; table.String() != want {
		t.Errorf("got\n%s\nwant\n%s", table, want)
	}
}

func TestMarkdown(t *testing.T) {
	want := `### Speed

| model | speed (t/s) | runs | ok |
|---|---:|---:|---:|
| a\|b �[2J&lt;é> | 12.3 ± 0.3 | 5 | yes |
| c | - | 12 | no |
| "d", e | - | - | +Inf |

a note
`
	if got := write(t, Markdown); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCSV(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(write(t, CSV))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"model", "tps", "tps_sd", "n", "ok"},
		{"a|b \x1b[2J<é>", "12.345", "0.251", "5", "true"},
		{"c", "", "", "12", "false"},
		{"\"d\", e", "NaN", "", "", "+Inf"},
	}
	for i := range want {
		if strings.Join(rows[i], "\x00") != strings.Join(want[i], "\x00") {
			t.Errorf("row %d: got %q, want %q", i, rows[i], want[i])
		}
	}
}

func TestJSON(t *testing.T) {
	var list []map[string]any
	if err := json.Unmarshal([]byte(write(t, JSON)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 || list[0]["tps"] != 12.345 || list[0]["tps_sd"] != 0.251 || list[0]["ok"] != true {
		t.Errorf("got %v", list)
	}
	if v, ok := list[2]["tps"]; !ok || v != nil {
		t.Errorf("NaN became %v", v)
	}
	lines := strings.Split(strings.TrimSpace(write(t, JSONL)), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	if want := `{"model": "c", "tps": null, "tps_sd": null, "n": 12, "ok": false}`; lines[1] != want {
		t.Errorf("got %s, want %s", lines[1], want)
	}
	var b bytes.Buffer
	if err := (&Table{}).Write(&b, JSON); err != nil || json.Unmarshal(b.Bytes(), &list) != nil || len(list) != 0 {
		t.Errorf("an empty table: %q, %v", b.String(), err)
	}
}

func TestFormats(t *testing.T) {
	if err := sample().Write(&bytes.Buffer{}, "xml"); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("xml: %v", err)
	}
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "2 cells in a table of 4 columns") {
			t.Errorf("panic %q", s)
		}
	}()
	sample().Add(1, 2)
}
