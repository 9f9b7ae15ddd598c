package tests

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/testdata"
)

// sorting is what the author of nano-sort computed in PyTorch: the hidden
// vectors of three sequences of 11 tokens.
type sorting struct {
	Tokens [][]int   `json:"tokens"`
	X      []float32 `json:"x"`
	LN1    []float32 `json:"ln1"`
	Block0 []float32 `json:"block0"`
	Block1 []float32 `json:"block1"`
	Block2 []float32 `json:"block2"`
	LNF    []float32 `json:"ln_f"`
}

const sortingDim = 48

// readSorting returns the author's vectors and a file with the letters that
// they are of.
func readSorting(t *testing.T) (a sorting, text string) {
	t.Helper()
	if err := json.Unmarshal(testdata.Read(t, "trained/nano-sort-85k.activations.json"), &a); err != nil {
		t.Fatal(err)
	}
	letters := ""
	for _, ids := range a.Tokens {
		for _, id := range ids {
			letters += string("ABC"[id])
		}
	}
	text = filepath.Join(t.TempDir(), "letters.txt")
	if err := os.WriteFile(text, []byte(letters), 0o666); err != nil {
		t.Fatal(err)
	}
	return a, text
}

// degreesBetween is the angle of two vectors, by the difference of their
// directions, which is exact near 0 too (Kahan).
func degreesBetween(a, b []float64) float64 {
	var na, nb, sum, diff float64
	for i := range a {
		na += a[i] * a[i]
		nb += b[i] * b[i]
	}
	na, nb = math.Sqrt(na), math.Sqrt(nb)
	for i := range a {
		x, y := a[i]/na, b[i]/nb
		sum += (x + y) * (x + y)
		diff += (x - y) * (x - y)
	}
	return 2 * math.Atan2(math.Sqrt(diff), math.Sqrt(sum)) * 180 / math.Pi
}

func vectors(flat []float32) (all [][]float64) {
	for row := range slices.Chunk(flat, sortingDim) {
		var v []float64
		for _, x := range row {
			v = append(v, float64(x))
		}
		all = append(all, v)
	}
	return all
}

// sameAngles holds a summary to a list of angles.
func sameAngles(t *testing.T, what string, got geometry.Summary, want []float64) {
	t.Helper()
	const tolerance = 1e-4 // degrees
	mean, sd := 0.0, 0.0
	for _, v := range want {
		mean += v / float64(len(want))
	}
	for _, v := range want {
		sd += (v - mean) * (v - mean) / float64(len(want))
	}
	for _, f := range []struct {
		name      string
		got, want float64
	}{
		{"count", float64(got.Count), float64(len(want))}, {"mean", got.Mean, mean}, {"sd", got.SD, math.Sqrt(sd)},
		{"min", got.Min, slices.Min(want)}, {"max", got.Max, slices.Max(want)},
	} {
		if !(math.Abs(f.got-f.want) <= tolerance) {
			t.Errorf("%s: %s %.7f, by the author's activations %.7f", what, f.name, f.got, f.want)
		}
	}
}

// The figures of the command are those of the author's own activations.
func TestGeometryOfAuthorsActivations(t *testing.T) {
	a, text := readSorting(t)
	model := testdata.Path(t, sorter)
	r := inferJSON[geometry.Result](t, "geometry", model, "-f", text, "--skip-first", "--json")
	if r.Tokens != 33 || r.Window != 11 {
		t.Fatalf("%d tokens in windows of %d", r.Tokens, r.Window)
	}
	ones := slices.Repeat([]float64{1}, sortingDim)
	for _, skip := range []bool{false, true} {
		f := &r.Figures
		if skip {
			f = r.WithoutFirst
		}
		angles := func(flat []float32, other func(i int) []float64) (all []float64) {
			for i, v := range vectors(flat) {
				if !skip || i%11 != 0 {
					all = append(all, degreesBetween(v, other(i)))
				}
			}
			return all
		}
		uniform := func(int) []float64 { return ones }
		for _, c := range []struct {
			site    string
			in, out []float32
		}{
			{"blk.0.attn_norm", a.X, a.LN1}, {"blk.1.attn_norm", a.Block0, nil}, {"blk.2.attn_norm", a.Block1, nil}, {"output_norm", a.Block2, a.LNF},
		} {
			found := 0
			for _, s := range f.Sites {
				switch {
				case s.Site != c.site:
				case s.Stage == "in":
					found++
					sameAngles(t, c.site+" in", s.Angle, angles(c.in, uniform))
				case s.Stage == "out" && c.out != nil:
					sameAngles(t, c.site+" out", s.Angle, angles(c.out, uniform))
				}
			}
			if found != 1 {
				t.Errorf("%d of %s", found, c.site)
			}
			for _, s := range f.Rotations {
				if s.Site == c.site && c.out != nil {
					out := vectors(c.out)
					sameAngles(t, c.site+" rotation", s.InOut, angles(c.in, func(i int) []float64 { return out[i] }))
				}
			}
		}
	}
}

// Seven processes at once, merged, are one run.
func TestGeometrySharded(t *testing.T) {
	model, dir := testdata.Path(t, stories), t.TempDir()
	args := []string{"geometry", model, "--tokens", "1200", "--ctx", "64", "--swap-tokens", "640"}
	const shards = 7
	var parts []string
	var running []*exec.Cmd
	for i := range shards {
		path := filepath.Join(dir, fmt.Sprintf("part-%d.json", i))
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		cmd := exec.Command(command(t), append(args, "--shard", fmt.Sprintf("%d/%d", i, shards))...)
		cmd.Stdout = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		parts, running = append(parts, path), append(running, cmd)
	}
	whole := inferJSON[map[string]any](t, append(args, "--json")...)
	for i, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Fatalf("shard %d: %v", i, err)
		}
	}
	slices.Reverse(parts) // in any order
	merged := inferJSON[map[string]any](t, append([]string{"merge", "--json"}, parts...)...)
	if n := len(merged["shards"].([]any)); n != shards {
		t.Errorf("%d shards", n)
	}
	delete(merged, "shards")
	compareJSON(t, "", merged, whole)
	first := merged["extremes"].(map[string]any)["angle"].([]any)[0].(map[string]any)
	if text, _ := first["text"].(string); text == "" {
		t.Errorf("the token that stands out most has no text: %v", first)
	}

	infer(t, append([]string{"merge"}, parts[1:]...)...).fails(t, 1, "missing", "6/7")
	infer(t, append([]string{"merge", parts[0]}, parts...)...).fails(t, 1, "twice")
	other := filepath.Join(dir, "other.json")
	part := works(t, append(args, "--tokens", "1100", "--shard", "0/7")...)
	if err := os.WriteFile(other, []byte(part), 0o666); err != nil {
		t.Fatal(err)
	}
	infer(t, "merge", parts[0], other).fails(t, 1, other, "text")
	infer(t, "merge", model).fails(t, 1, model, "JSON")
}

// compareJSON checks that two documents are one: whole numbers and texts
// exactly, others to 1e-9 of their size. The verdict quotes rounded figures.
func compareJSON(t *testing.T, path string, a, b any) {
	t.Helper()
	switch b := b.(type) {
	case map[string]any:
		m, _ := a.(map[string]any)
		if len(m) != len(b) {
			t.Errorf("%s: %d and %d fields", path, len(m), len(b))
		}
		for k := range b {
			compareJSON(t, path+"."+k, m[k], b[k])
		}
	case []any:
		l, _ := a.([]any)
		if len(l) != len(b) {
			t.Errorf("%s: %d and %d elements", path, len(l), len(b))
			return
		}
		for i := range b {
			compareJSON(t, fmt.Sprintf("%s[%d]", path, i), l[i], b[i])
		}
	case float64:
		x, ok := a.(float64)
		if !ok || math.Abs(x-b) > 1e-9*max(1, math.Abs(b)) || b == math.Trunc(b) && math.Abs(b) >= 1 && x != b {
			t.Errorf("%s: merged %v, whole %v", path, a, b)
		}
	default:
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: merged %v, whole %v", path, a, b)
		}
	}
}

var npyHead = regexp.MustCompile(`^\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\), \} *\n$`)

// readNPY reads an array of numpy.lib.format, version 1.0.
func readNPY(t *testing.T, b []byte) (rows, columns int, data []float32) {
	t.Helper()
	if !bytes.HasPrefix(b, []byte("\x93NUMPY\x01\x00")) {
		t.Fatalf("begins with %q", b[:min(len(b), 8)])
	}
	size := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	m := npyHead.FindSubmatch(b[10:size])
	if m == nil || size%64 != 0 {
		t.Fatalf("header of %d bytes: %q", size, b[10:size])
	}
	fmt.Sscan(string(m[1])+" "+string(m[2]), &rows, &columns)
	if len(b)-size != 4*rows*columns {
		t.Fatalf("%d bytes of data for [%d, %d]", len(b)-size, rows, columns)
	}
	data = make([]float32, rows*columns)
	if _, err := binary.Decode(b[size:], binary.LittleEndian, data); err != nil {
		t.Fatal(err)
	}
	return rows, columns, data
}

// The arrays that infer states writes are the author's activations.
func TestStates(t *testing.T) {
	a, text := readSorting(t)
	model, dir := testdata.Path(t, sorter), t.TempDir()
	file := filepath.Join(dir, "s.npy")
	near := func(what string, b []byte, want []float32) {
		t.Helper()
		rows, columns, got := readNPY(t, b)
		if rows != 33 || columns != sortingDim {
			t.Fatalf("%s: [%d, %d]", what, rows, columns)
		}
		// Two float32 programs, a few dozen operations deep.
		if e := testdata.NMSE(got, want); !(e < 1e-11) {
			t.Errorf("%s: NMSE %.2g", what, e)
		}
	}
	works(t, "states", model, "-f", text, "-o", file, "--sites", "ln1,final")
	for site, want := range map[string][]float32{"blk.0.attn_norm": a.X, "blk.1.attn_norm": a.Block0, "blk.2.attn_norm": a.Block1, "output_norm": a.Block2} {
		b, err := os.ReadFile(filepath.Join(dir, "s."+site+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		near(site, b, want)
	}
	near("ln1 out", []byte(works(t, "states", model, "-f", text, "-o", "-", "--sites", "blk.0.attn_norm", "--stage", "out")), a.LN1)
	near("ln_f out", []byte(works(t, "states", model, "-f", text, "-o", "-", "--sites", "output_norm", "--stage", "out")), a.LNF)

	// Standardised by LayerNorm: no mean, and mean square 1 but for eps.
	_, _, std := readNPY(t, []byte(works(t, "states", model, "-f", text, "-o", "-", "--sites", "output_norm", "--stage", "std")))
	for _, v := range vectors(std) {
		sum, squares := 0.0, 0.0
		for _, x := range v {
			sum += x
			squares += x * x / sortingDim
		}
		if math.Abs(sum) > sortingDim*0x1p-22 || math.Abs(squares-1) > 1e-3 {
			t.Errorf("standardised: sum %g, mean square %g", sum, squares)
		}
	}

	file = filepath.Join(dir, "t.npy")
	works(t, "states", model, "-f", text, "-o", file, "--sites", "final")
	infer(t, "states", model, "-f", text, "-o", file, "--sites", "final").fails(t, 1, file, "--force")
	works(t, "states", model, "-f", text, "-o", file, "--sites", "final", "--force")
	infer(t, "states", model).fails(t, 2, "-o")
	infer(t, "states", model, "-f", text, "-o", "-").fails(t, 2, "stdout")
	infer(t, "states", model, "-f", text, "-o", "-", "--sites", "blk.9.attn_norm").fails(t, 2, "blk.9.attn_norm", "output_norm")
	infer(t, "states", model, "-f", text, "-o", "-", "--sites", "7-9").fails(t, 2, "0-2")
}

// The folder of a comparison has every kind of file, and its page needs
// nothing else.
func TestGeometryFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "report")
	text := works(t, "geometry", testdata.Path(t, stories), testdata.Path(t, "archs/gpt2.gguf"), "--tokens", "300", "-o", dir)
	for _, want := range []string{"Table 2", "Table 3", "Table 4", "rms-naive", "RMSNorm, and", "LayerNorm, and"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	for _, name := range []string{"geometry.json", "table2_angle.csv", "swaps.csv", "effects.csv", "compare_angle.svg", "compare_angle.png", "report.html"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{`src="http`, `href="http:`, "url(http", "<script src", "<link"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page asks for more: %s", bad)
		}
	}
	var all struct{ Models []geometry.Result }
	b, err := os.ReadFile(filepath.Join(dir, "geometry.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &all); err != nil || len(all.Models) != 2 {
		t.Errorf("%d models, %v", len(all.Models), err)
	}
}

func TestGeometryErrors(t *testing.T) {
	model := testdata.Path(t, stories)
	infer(t, "geometry", model, "--tokens", "-1").fails(t, 2, "--tokens")
	infer(t, "geometry", model, "--shard", "7/7").fails(t, 2, "--shard 7/7")
	infer(t, "geometry", model, model, "--shard", "0/7").fails(t, 2, "--shard")
	infer(t, "geometry", model, "--shard", "0/7", "-o", t.TempDir()).fails(t, 2, "merge")
	infer(t, "geometry", model, "--sites", "ln3").fails(t, 2, "ln3", "blk.0.attn_norm")
	infer(t, "geometry", model, "-o", model).fails(t, 1, "folder")
	infer(t, "geometry", model, "-f", os.DevNull).fails(t, 1, os.DevNull, "empty")
	infer(t, "merge").fails(t, 2, "--shard")
}

// TestStatesParts: what the branches add makes the stream of the next block, rows have the
// ids that the model read, and the list says how the arrays were made.
func TestStatesParts(t *testing.T) {
	dir := t.TempDir()
	read := func(stage, site string) []float32 {
		t.Helper()
		_, _, values := readNPY(t, []byte(works(t, "states", "--tokens", "40", "--ctx", "16", "-o", "-", "--stage", stage, "--sites", site)))
		return values
	}
	sum := read("stream", "embd")
	for i, v := range read("attention", "blk.0") {
		sum[i] += v
	}
	for i, v := range read("ffn", "0") {
		sum[i] += v
	}
	if e := testdata.NMSE(sum, read("stream", "blk.0")); !(e <= 1e-12) {
		t.Errorf("the stream is off by %.2g from the sum of what was added to it", e)
	}
	file := filepath.Join(dir, "s.npy")
	works(t, "states", "--tokens", "40", "--ctx", "16", "-o", file, "--stage", "stream", "--sites", "embd,1-2")
	b, err := os.ReadFile(filepath.Join(dir, "s.tokens.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil || len(rows) != 41 || strings.Join(rows[0], " ") != "row window position token text" || rows[18][1] != "1" || rows[18][2] != "1" || rows[2][4] == "" {
		t.Errorf("%v: %q", err, rows)
	}
	var list struct {
		ModelSum string `json:"model_sha256"`
		Files    []struct {
			File, Site, Stage string
			Layer             int
			Shape             [2]int
		}
	}
	if b, err = os.ReadFile(filepath.Join(dir, "s.json")); err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil || len(list.Files) != 3 || list.Files[1].Site != "blk.1" || list.Files[1].File != "s.blk.1.npy" || list.Files[0].Layer != -1 || list.Files[2].Shape[0] != 40 || list.ModelSum == "" {
		t.Errorf("%v: %+v", err, list)
	}
	infer(t, "states", "-o", file, "--stage", "ffn", "--sites", "embd").fails(t, 2, "blk.0", "blk.3")
}
