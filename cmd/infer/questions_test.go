package main

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/tales"
)

// choiceFile is a file for llama-perplexity's --multiple-choice.
func choiceFile(question string, answers []string, right int) []byte {
	var b []byte
	word := func(s string) { b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...) }
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, 8)
	word(question)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(answers)))
	for _, a := range answers {
		word(a)
	}
	for i := range answers {
		b = binary.LittleEndian.AppendUint32(b, map[bool]uint32{true: 1}[i == right])
	}
	return binary.LittleEndian.AppendUint32(b, 0)
}

func TestQuestions(t *testing.T) {
	dir := t.TempDir()
	sarah := question{contexts: []string{"Sarah was a better surgeon than Maria so Sarah", "Sarah was a better surgeon than Maria so Maria"},
		choices: []string{" got the easier cases.", " got the easier cases."}, answer: 1, partial: true}
	same := func(context string, answer int, choices ...string) (q question) {
		for _, c := range choices {
			q.contexts, q.choices = append(q.contexts, context), append(q.choices, " "+c)
		}
		q.answer = answer
		return q
	}
	for name, c := range map[string]struct {
		text string
		want question
	}{
		"own":        {`{"context": "He lived in a", "choices": ["seldom", "castle"], "answer": 1}`, same("He lived in a", 1, "seldom", "castle")},
		"hellaswag":  {`{"activity_label": "Health", "ctx_a": "How to rest [header] Sit. [title] Then", "ctx_b": "THE cat", "ctx": "x", "endings": ["[step] sleeps  well.", "b", "c", "d"], "label": "2"}`, same("Health: How to rest Sit.. Then The cat", 2, " sleeps well.", "b", "c", "d")},
		"arc":        {`{"id": "x", "question": "Why?", "choices": {"text": ["so", "thus"], "label": ["A", "B"]}, "answerKey": "B"}`, same("Question: Why?\nAnswer:", 1, "so", "thus")},
		"arc_ai2":    {`{"question": {"stem": "Why?", "choices": [{"text": "so", "label": "1"}, {"text": "thus", "label": "2"}]}, "answerKey": "1"}`, same("Question: Why?\nAnswer:", 0, "so", "thus")},
		"winogrande": {`{"sentence": "Sarah was a better surgeon than Maria so _ got the easier cases.", "option1": "Sarah", "option2": "Maria", "answer": "2"}`, sarah},
		"wino_csv":   {`0,"Sarah was a better surgeon than Maria so _ got the easier cases.",Sarah,Maria,2`, sarah},
		"plain_csv":  {`0,Sarah was a better surgeon than Maria so _ got the easier cases.,Sarah,Maria,2` + "\n\n", sarah},
		"hella_text": {"Health: Then\n1\na\nb\nc\nd\n", same("Health: Then", 1, "a", "b", "c", "d")},
		"multiple":   {string(choiceFile("Why?", []string{"so", "thus", "n\u00f6"}, 2)), same("Why?", 2, "so", "thus", "n\u00f6")},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readQuestions(t.Context(), path)
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], c.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
	binaryFile := string(choiceFile("Why?", []string{"so", "thus"}, 1))
	for text, want := range map[string]string{
		"":            "no questions",
		"{}":          "line 1: a question has",
		"{":           "line 1",
		"Dear reader": "line 1: neither",
		"{\"context\": \"a\", \"choices\": [\"b\"], \"answer\": 1}":                       "the indices 0 to 0",
		`{"context": "a", "choices": [], "answer": 0}`:                                    "no choices",
		`{"sentence": "a", "answer": "1"}`:                                                "no _",
		`{"sentence": "_", "answer": "3"}`:                                                "want 1 or 2",
		`{"endings": ["a"], "label": ""}`:                                                 "label",
		`{"question": "a", "choices": {"text": ["b"], "label": ["A"]}, "answerKey": "B"}`: "none of the labels",
		"a\n1\nb\nc\nd\ne\nf\nx\nb\nc\nd\ne\n":                                            "line 8",
		"a\n1\nb\nc\nd\ne\nf\n9\nb\nc\nd\ne\n":                                            "line 8",
		binaryFile[:len(binaryFile)-1]:                                                    "",
		"\xff\xff\xff\xff" + binaryFile[4:]:                                               "",
	} {
		path := filepath.Join(dir, "bad")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readQuestions(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "bad") {
			t.Errorf("%q: %+v, %v; want %q", text, got, err, want)
		}
	}
}

// TestQuestionLogprobs: sums are of all tokens behind the context, means of those in
// which the choices differ; both from the logits of whole sequences.
func TestQuestionLogprobs(t *testing.T) {
	f, err := tales.Open()
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Load(t.Context(), f, engine.Options{Threads: 2, FloatActivations: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession(engine.SessionOptions{Context: 128})
	if err != nil {
		t.Fatal(err)
	}
	gap, err := winogrande("The king loved the queen because _ was kind to all the people.", "he", "she", "2")
	if err != nil {
		t.Fatal(err)
	}
	brief, err := winogrande("The king loved the _.", "queen", "forest", "1")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := oneContext("Once upon a time there was a", []string{"king who had three sons", "king who", "forest"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := oneContext("Once upon a time there was a", []string{"king who had three sons", "king who lived", "king"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]*question{"gap": gap, "brief": brief, "plain": plain, "shared": shared} {
		sums, means, err := q.logprobs(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		var sequences [][]int32
		var at []int
		for k := range q.choices {
			prefix, rest, err := m.ContinuationTokens(q.contexts[k], q.choices[k])
			if err != nil {
				t.Fatal(err)
			}
			sequences, at = append(sequences, append(prefix, rest...)), append(at, len(prefix))
		}
		common := 0
		for ; common < len(sequences[0]); common++ {
			differ := false
			for _, ids := range sequences {
				differ = differ || common >= len(ids) || ids[common] != sequences[0][common]
			}
			if differ {
				break
			}
		}
		for k, ids := range sequences {
			s.Truncate(0)
			scores, err := s.Logprobs(t.Context(), ids, 0)
			if err != nil {
				t.Fatal(err)
			}
			sum := func(from, to int) (v float64) {
				for _, x := range scores[from-1 : to-1] {
					v += x.Logprob.Logprob
				}
				return v
			}
			from, to := min(common, len(ids)-1), len(ids)
			if name == "gap" {
				from, to = at[k], to-1
			}
			if name == "brief" {
				to--
			}
			if want := sum(at[k], len(ids)); math.Abs(sums[k]-want) > 1e-4 {
				t.Errorf("%s, choice %d: %v, want %v", name, k, sums[k], want)
			}
			if want := sum(from, to) / float64(to-from); math.Abs(means[k]-want) > 1e-4 {
				t.Errorf("%s, choice %d by token: %v, want %v", name, k, means[k], want)
			}
		}
	}
}
