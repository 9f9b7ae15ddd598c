package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/plain"
)

// keep is where the test leaves its reports for people to look at.
var keep = flag.String("report", "", "write the reports to this folder and keep them")

func folder(t *testing.T, name string) string {
	if *keep != "" {
		return filepath.Join(*keep, name)
	}
	return filepath.Join(t.TempDir(), name)
}

// bundle makes the reports that the tests write: one model, two beside each
// other, and two training runs.
func bundle(t *testing.T, name string) *Bundle {
	switch name {
	case "one", "two":
		one := synthetic(t, "tales-12L", true, 12, 40, 0.02, func(s *geometry.State) {
			s.Swap = []geometry.SwapMode{
				{Mode: "native", Tokens: 1280, KL: 0, Top1: 1, Perplexity: 39.7244},
				{Mode: "rms-naive", Tokens: 1280, KL: 1.2e-5, Top1: 0.9987, Perplexity: 39.7249},
				{Mode: "rms-folded", Tokens: 1280, KL: 3.1e-13, Top1: 1, Perplexity: 39.7244},
			}
		})
		if name == "one" {
			return &Bundle{Results: []*geometry.Result{one}, Command: "infer geometry tales.gguf -f text.txt -o report"}
		}
		two := synthetic(t, "tales-rms-12L", false, 12, 10, 0.3)
		return &Bundle{Results: []*geometry.Result{one, two}, Title: "LayerNorm beside RMSNorm"}
	}
	return &Bundle{Results: trained(t), Title: "Over training"}
}

func TestWriteDir(t *testing.T) {
	for _, name := range []string{"one", "two", "training"} {
		if name != "one" && *keep == "" {
			continue // drawing is slow
		}
		b := bundle(t, name)
		dir := folder(t, name)
		for _, r := range b.Results {
			for i := range r.Extremes.Norm {
				r.Extremes.Norm[i].Text = "<" + string('a'+r.Extremes.Norm[i].Token%26) + ">"
			}
		}
		if err := b.WriteDir(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			ext := filepath.Ext(f.Name())
			seen[ext]++
			switch ext {
			case ".svg":
				wellFormed(t, f.Name(), data)
			case ".png":
				img, err := png.DecodeConfig(bytes.NewReader(data))
				if err != nil || img.Width != 1920 || img.Height != 1080 {
					t.Errorf("%s: %d x %d, %v", f.Name(), img.Width, img.Height, err)
				}
			case ".json":
				if !json.Valid(data) {
					t.Errorf("%s is not JSON", f.Name())
				}
			case ".html":
				selfContained(t, string(data))
			}
		}
		if seen[".svg"] < 6 || seen[".svg"] != seen[".png"] || seen[".csv"] < 10 || seen[".json"] != 1 || seen[".html"] != 1 {
			t.Errorf("%s: files %v", name, seen)
		}
	}
}

func wellFormed(t *testing.T, name string, data []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

// selfContained finds whatever would make a browser ask for another file.
func selfContained(t *testing.T, page string) {
	t.Helper()
	for _, bad := range []string{"<script", "<link", "<img", "<iframe", "@import", "url(", "src="} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if n := strings.Count(page, "<svg "); n < 6 {
		t.Errorf("%d plots in the page", n)
	}
	// Every colour of a plot comes from the page, or it would be lost in the dark.
	for _, svg := range regexp.MustCompile(`(?s)<svg .*?</svg>`).FindAllString(page, -1) {
		if c := hexColor.FindString(svg); c != "" {
			t.Errorf("a plot has the fixed colour %s", c)
			return
		}
		wellFormed(t, "inline plot", []byte(svg))
	}
}

func TestHostileNames(t *testing.T) {
	r := synthetic(t, "<script>alert(1)</script>\"&../../x\x1b[2J\x00\u009b\u202e\ufffe\xff", true, 2, 2, 0)
	r.Text, r.Extremes.Norm[0].Text = r.Model.Name, r.Model.Name
	two := &Bundle{Results: []*geometry.Result{r, r}, Command: r.Model.Name}
	var page bytes.Buffer
	if err := two.HTML(&page); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(page.Bytes(), []byte("<script")) {
		t.Error("a name became markup")
	}
	safe := func(what string, b []byte) {
		t.Helper()
		for i, r := range string(b) {
			if plain.Unsafe(r) && r != '\n' && r != '\t' {
				t.Errorf("%s: %U at %d", what, r, i)
				return
			}
		}
	}
	selfContained(t, page.String())
	safe("page", page.Bytes())
	var b bytes.Buffer
	if err := two.Text(&b); err != nil {
		t.Fatal(err)
	}
	safe("text", b.Bytes())
	b.Reset()
	if err := geometry.WriteJSON(&b, two.Results...); err != nil || !json.Valid(b.Bytes()) {
		t.Errorf("JSON: %v", err)
	}
	safe("JSON", b.Bytes())
	for name, table := range two.tables() {
		for _, f := range []Format{Text, Markdown, JSON, JSONL} {
			b.Reset()
			if err := table.Write(&b, f); err != nil {
				t.Fatal(err)
			}
			safe(fmt.Sprint(name, " as ", f), b.Bytes())
		}
	}
	charts := two.charts()
	for _, c := range charts[:2] {
		svg, err := c.SVG()
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, c.Name, svg)
		safe(c.Name, svg)
	}
	if len(charts) < 12 {
		t.Errorf("%d plots of two models", len(charts))
	}
	seen := map[string]bool{}
	for _, c := range charts {
		if seen[c.Name] {
			t.Errorf("two plots would be written to %q", c.Name)
		}
		seen[c.Name] = true
		if filepath.Base(c.Name) != c.Name || strings.ContainsAny(c.Name, `<>"&/\\`) {
			t.Errorf("a plot would be written to %q", c.Name)
		}
	}
}

// Several norms of one role in a layer are no reason to fail.
func TestNormsOfOneLayer(t *testing.T) {
	r := synthetic(t, "m", true, 3, 2, 0)
	for i := range r.Sites {
		r.Sites[i].Layer = 0
	}
	for _, c := range modelCharts(r) {
		if _, err := c.SVG(); err != nil {
			t.Error(err)
		}
	}
}

func TestTraining(t *testing.T) {
	b := bundle(t, "training")
	var page bytes.Buffer
	if err := b.HTML(&page); err != nil {
		t.Fatal(err)
	}
	selfContained(t, page.String())
	if n := len(b.detailed()); n != 2 {
		t.Errorf("%d models in detail, want the last checkpoint of each run", n)
	}
	angle := trainingCharts(b.Results)[0]
	if len(angle.Series) != 2 || len(angle.Series[0].X) != 6 || angle.Series[0].X[5] != 4679 {
		t.Errorf("series %+v", angle.Series)
	}
	for i, s := range angle.Series {
		for k, y := range s.Y {
			if want := b.Results[i*6+k].Tables.Angle.Hidden.Mean; y != want {
				t.Errorf("%s at step %v: %v, want %v", s.Label, s.X[k], y, want)
			}
		}
	}
}

func TestTerminal(t *testing.T) {
	var b bytes.Buffer
	if err := bundle(t, "one").Text(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Table 2", "Table 3", "Table 4", "GPT-2 XL *", "101.48 ± 3.20", "tales-12L, without position 0", "LayerNorm, and no mean far beyond chance", "rms-folded 39.7244"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if *keep != "" {
		t.Log(b.String())
	}
}

func TestNothingToReport(t *testing.T) {
	b := &Bundle{}
	if err := b.WriteDir(t.Context(), t.TempDir()); err == nil {
		t.Error("wrote a report of nothing")
	}
	if err := b.HTML(io.Discard); err == nil {
		t.Error("wrote a page of nothing")
	}
	if _, err := (&chart{Name: "empty"}).SVG(); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("a chart of nothing: %v", err)
	}
}
