package corpus

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// write makes files of a folder, by their names.
func write(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	dir := write(t, map[string][]byte{"b/2.txt": nil, "b/10.txt": nil, "a.txt": nil, ".hidden": nil, "b/.git/x": nil, "c/.keep": nil})
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct{ names, want []string }{
		{[]string{dir}, []string{"a.txt", "b/10.txt", "b/2.txt"}},
		{[]string{at("b/2.txt"), at("*.txt")}, []string{"b/2.txt", "a.txt"}},
		{[]string{at("*/[0-9].txt")}, []string{"b/2.txt"}},
	} {
		got, err := Find(c.names...)
		for i := range c.want {
			c.want[i] = at(c.want[i])
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v", c.names, got, err)
		}
	}
	for _, name := range []string{at("c"), at("*.gz"), at("none"), at("[")} {
		if got, err := Find(name); err == nil || !strings.HasPrefix(err.Error(), "corpus: ") || !strings.Contains(err.Error(), name[len(dir):]) && name != at("[") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := Find(Stdin); err != nil || !slices.Equal(got, []string{Stdin}) {
		t.Errorf("%q, %v", got, err)
	}
}

// compressed is a text in every format.
func compressed(t *testing.T, text string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"plain": []byte(text)}
	for name, open := range map[string]func(w io.Writer) (io.WriteCloser, error){
		"gzip": func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		"zstd": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	} {
		var b bytes.Buffer
		w, err := open(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		all[name] = b.Bytes()
	}
	return all
}

func TestOpen(t *testing.T) {
	text := strings.Repeat("One text, many forms; ", 10_000)
	files := compressed(t, text)
	packed, err := os.ReadFile("testdata/repeated.xz") // the same, by xz
	if err != nil {
		t.Fatal(err)
	}
	files["xz"] = packed
	files["empty"] = nil
	dir := write(t, files)
	paths, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := OpenText(paths)
	got, err := io.ReadAll(r)
	if err != nil || string(got) != strings.Repeat(text, len(files)-1) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	for name, b := range files {
		if name == "plain" || name == "empty" {
			continue
		}
		broken := filepath.Join(write(t, map[string][]byte{name: b[:len(b)/2]}), name)
		if _, err := io.ReadAll(OpenText([]string{broken})); err == nil || !strings.HasPrefix(err.Error(), "corpus: "+broken+": ") {
			t.Errorf("half of a file in %s: %v", name, err)
		}
	}
	// A header that asks for a window of 4 GiB - 1.
	greedy := bytes.Clone(packed)
	head := greedy[12:][:4*(int(greedy[12])+1)]
	head[bytes.Index(head, []byte{0x21, 1})+2] = 40
	binary.LittleEndian.PutUint32(head[len(head)-4:], crc32.ChecksumIEEE(head[:len(head)-4]))
	large := filepath.Join(write(t, map[string][]byte{"large.xz": greedy}), "large.xz")
	if _, err := io.ReadAll(OpenText([]string{large})); err == nil || !strings.Contains(err.Error(), large) || !strings.Contains(err.Error(), "exceeds") {
		t.Error(err)
	}
	gguf := filepath.Join(write(t, map[string][]byte{"m.gguf": []byte("GGUF\x03\x00\x00\x00")}), "m.gguf")
	if _, err := io.ReadAll(OpenText([]string{gguf})); err == nil || !strings.Contains(err.Error(), gguf+": this is a GGUF file") {
		t.Error(err)
	}
	if b, err := io.ReadAll(Open([]string{gguf})); err != nil || len(b) != 8 {
		t.Errorf("%q, %v", b, err)
	}
}
