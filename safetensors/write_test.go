package safetensors

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestWriteParse(t *testing.T) {
	infos := []Info{{"b\"é", "F16", []int{2, 3}}, {"a", "F32", nil}, {"none", "I64", []int{0, 4}}}
	data := [][]byte{bytes.Repeat([]byte{1}, 12), {1, 2, 3, 4}, {}}
	var out bytes.Buffer
	w, err := NewWriter(&out, map[string]string{"format": "pt"}, infos)
	if err != nil {
		t.Fatal(err)
	}
	if at := out.Len(); at%8 != 0 {
		t.Errorf("the data begin at byte %d", at)
	}
	if err := w.Tensor(data[1]); err == nil || !strings.Contains(err.Error(), "want 12") {
		t.Errorf("a tensor of another length: %v", err)
	}
	for _, d := range data {
		if err := w.Tensor(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Tensor(nil); err == nil {
		t.Error("one tensor too many is written")
	}
	all, meta, err := Parse(out.Bytes())
	if err != nil || meta["format"] != "pt" || len(all) != len(infos) {
		t.Fatalf("Parse = %v, %v, %v", all, meta, err)
	}
	for _, got := range all {
		for i, want := range infos {
			if got.Name == want.Name && (got.Dtype != want.Dtype || !reflect.DeepEqual(got.Shape, append([]int{}, want.Shape...)) || !bytes.Equal(got.Data, data[i])) {
				t.Errorf("%s is %v, want %v", got.Name, got, want)
			}
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, infos := range [][]Info{{{"a", "X", nil}}, {{"a", "F32", nil}, {"a", "F32", nil}}, {{"a", "F32", []int{1 << 40, 1 << 40}}}} {
		if _, err := NewWriter(&bytes.Buffer{}, nil, infos); err == nil {
			t.Errorf("%v is written", infos)
		}
	}
	w, err := NewWriter(&bytes.Buffer{}, nil, []Info{{"a", "F32", nil}})
	if err != nil {
		t.Fatal(err)
	}
	if w.Close() == nil {
		t.Error("a file without its data is closed")
	}
}
