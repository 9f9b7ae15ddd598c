package main

import (
	"context"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/normswap/normswap/internal/text"
)

// A question has choices, one of which is right. Each is a text behind a context.
type question struct {
	contexts []string // one of each choice
	choices  []string // as they stand behind the contexts, with a space before them
	answer   int      // index of the right choice
	// The choices are in the contexts, and what follows them is one text (Winogrande,
	// Trinh & Le 2018).
	partial bool
}

// oneContext is a question with one context.
func oneContext(context string, choices []string, answer int) (*question, error) {
	q := &question{answer: answer}
	for _, c := range choices {
		q.contexts, q.choices = append(q.contexts, context), append(q.choices, " "+c)
	}
	if len(choices) == 0 {
		return nil, errors.New("the question has no choices")
	}
	if answer < 0 || answer >= len(choices) {
		return nil, fmt.Errorf("the answer is %d, the choices have the indices 0 to %d", answer, len(choices)-1)
	}
	return q, nil
}

// winogrande is a sentence with _ in the place of one of two words; the answer is 1 or 2.
func winogrande(sentence, first, second, answer string) (*question, error) {
	before, after, found := strings.Cut(sentence, "_")
	n, err := strconv.Atoi(strings.TrimSpace(answer))
	switch {
	case !found:
		return nil, errors.New("the sentence has no _")
	case err != nil || n < 1 || n > 2:
		return nil, fmt.Errorf("the answer is %.20q, want 1 or 2", answer)
	}
	after = " " + strings.TrimSpace(after)
	return &question{contexts: []string{before + first, before + second}, choices: []string{after, after}, answer: n - 1, partial: true}, nil
}

// readQuestions reads a file of questions, whose form it finds out.
func readQuestions(ctx context.Context, path string) (list []question, err error) {
	body, err := readText(ctx, path)
	var noText *text.Error
	switch {
	case errors.As(err, &noText) && path != "-":
		b, readErr := os.ReadFile(path)
		if readErr != nil {
			return nil, readErr
		}
		if list = multipleChoice(b); list == nil {
			return nil, err
		}
		return list, nil
	case err != nil:
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(body, "\r\n"), "\n")
	switch {
	case strings.TrimSpace(body) == "":
		return nil, fmt.Errorf("%s has no questions", path)
	case strings.HasPrefix(strings.TrimSpace(body), "{"):
		list, err = eachLine(lines, jsonQuestion)
	case hellaSwagLines(lines):
		list, err = hellaSwagText(lines)
	default:
		list, err = eachLine(lines, csvQuestion)
	}
	if err != nil {
		return nil, fmt.Errorf("%s, %w", path, err)
	}
	return list, nil
}

// eachLine reads a question a line.
func eachLine(lines []string, parse func(string) (*question, error)) (list []question, err error) {
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		q, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		list = append(list, *q)
	}
	return list, nil
}

// csvQuestion reads a line of llama-perplexity's file for --winogrande: index,
// sentence, two choices, and which of them is right.
func csvQuestion(line string) (*question, error) {
	r := csv.NewReader(strings.NewReader(line))
	r.LazyQuotes = true
	fields, err := r.Read()
	if err != nil || len(fields) != 5 {
		return nil, errors.New("neither a JSON object nor index,sentence,choice,choice,answer")
	}
	return winogrande(fields[1], fields[2], fields[3], fields[4])
}

// hellaSwagLines reports whether a text is llama-perplexity's file for --hellaswag:
// six lines a question, the context, the index of the right ending, and four endings.
func hellaSwagLines(lines []string) bool {
	if len(lines)%6 != 0 {
		return false
	}
	n, err := strconv.Atoi(strings.TrimSpace(lines[1]))
	return err == nil && n >= 0 && n < 4
}

func hellaSwagText(lines []string) (list []question, err error) {
	for i := 0; i < len(lines); i += 6 {
		answer, err := strconv.Atoi(strings.TrimSpace(lines[i+1]))
		if err != nil {
			return nil, fmt.Errorf("line %d: %.20q is no index of an ending", i+2, lines[i+1])
		}
		q, err := oneContext(strings.TrimRight(lines[i], "\r"), slices.Clone(lines[i+2:i+6]), answer)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+2, err)
		}
		list = append(list, *q)
	}
	return list, nil
}

// multipleChoice reads llama-perplexity's file for --multiple-choice: little-endian, the
// number of questions, where each begins, and each as a text with two lists of answers
// and labels, of which the first has one right answer. It returns nil if it is none.
func multipleChoice(b []byte) (list []question) {
	ok := true
	number := func() int {
		if len(b) < 4 {
			ok = false
			return 0
		}
		n := binary.LittleEndian.Uint32(b)
		b = b[4:]
		return int(n)
	}
	word := func() string {
		n := number()
		if n > len(b) {
			ok = false
			return ""
		}
		s := string(b[:n])
		b = b[n:]
		return s
	}
	count := number()
	if count == 0 || count > len(b)/4 {
		return nil
	}
	b = b[4*count:]
	for range count {
		question := word()
		for which := range 2 {
			n := number()
			if n > 100 {
				return nil
			}
			var answers []string
			for range n {
				answers = append(answers, word())
			}
			right := -1
			for i := range n {
				if number() == 1 && right < 0 {
					right = i
				}
			}
			if which == 0 && ok {
				q, err := oneContext(question, answers, right)
				if err != nil {
					return nil
				}
				list = append(list, *q)
			}
		}
		if !ok || !utf8.ValidString(question) {
			return nil
		}
	}
	return list
}

// A label is a number, or a word for one.
type label string

func (l *label) UnmarshalJSON(b []byte) error {
	*l = label(strings.Trim(string(b), `"`))
	return nil
}

// jsonQuestion reads a question as a JSON object: of this program, or a row of
// HellaSwag, ARC or Winogrande, which is laid out as lm-evaluation-harness does.
func jsonQuestion(line string) (*question, error) {
	var o struct {
		Context *string         `json:"context"`
		Choices json.RawMessage `json:"choices"`
		Answer  label           `json:"answer"`

		Activity string   `json:"activity_label"` // HellaSwag
		Ctx      string   `json:"ctx"`
		CtxA     string   `json:"ctx_a"`
		CtxB     string   `json:"ctx_b"`
		Endings  []string `json:"endings"`
		Label    label    `json:"label"`

		Question json.RawMessage `json:"question"` // ARC
		Key      label           `json:"answerKey"`

		Sentence string `json:"sentence"` // Winogrande
		Option1  string `json:"option1"`
		Option2  string `json:"option2"`
	}
	if err := json.Unmarshal([]byte(line), &o); err != nil {
		return nil, err
	}
	switch {
	case o.Sentence != "":
		return winogrande(o.Sentence, o.Option1, o.Option2, string(o.Answer))
	case len(o.Endings) > 0:
		n, err := strconv.Atoi(string(o.Label))
		if err != nil {
			return nil, fmt.Errorf("the label is %.20q, want an index", o.Label)
		}
		if o.CtxA != "" || o.CtxB != "" {
			o.Ctx = o.CtxA + " " + capitalized(o.CtxB)
		}
		endings := slices.Clone(o.Endings)
		for i, e := range endings {
			endings[i] = hellaSwagClean(e)
		}
		return oneContext(hellaSwagClean(o.Activity+": "+o.Ctx), endings, n)
	case o.Key != "":
		return arcQuestion(o.Question, o.Choices, string(o.Key))
	}
	var choices []string
	if err := json.Unmarshal(o.Choices, &choices); err != nil || o.Context == nil || o.Answer == "" {
		return nil, errors.New("a question has context, choices and answer, or is a row of HellaSwag, ARC or Winogrande")
	}
	answer, err := strconv.Atoi(string(o.Answer))
	if err != nil {
		return nil, fmt.Errorf("the answer is %.20q, want the index of a choice", o.Answer)
	}
	return oneContext(*o.Context, choices, answer)
}

// capitalized is Python's str.capitalize.
func capitalized(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return string(unicode.ToTitle(r)) + strings.ToLower(s[n:])
}

var brackets = regexp.MustCompile(`\[.*?\]`)

// hellaSwagClean takes out what WikiHow's texts have in brackets, as
// lm-evaluation-harness does.
func hellaSwagClean(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), " [title]", ". ")
	return strings.ReplaceAll(brackets.ReplaceAllString(s, ""), "  ", " ")
}

// arcQuestion reads a row of ARC, as its authors publish it or as Hugging Face does.
func arcQuestion(rawQuestion, rawChoices json.RawMessage, key string) (*question, error) {
	var stem string
	var labels, texts []string
	var columns struct{ Text, Label []string }
	var rows struct {
		Stem    string
		Choices []struct{ Text, Label string }
	}
	switch {
	case json.Unmarshal(rawQuestion, &stem) == nil && json.Unmarshal(rawChoices, &columns) == nil:
		labels, texts = columns.Label, columns.Text
	case json.Unmarshal(rawQuestion, &rows) == nil:
		stem = rows.Stem
		for _, c := range rows.Choices {
			labels, texts = append(labels, c.Label), append(texts, c.Text)
		}
	default:
		return nil, errors.New("with answerKey go a question and choices with text and label")
	}
	answer := slices.Index(labels, key)
	if answer < 0 || len(labels) != len(texts) {
		return nil, fmt.Errorf("the answer %.20q is none of the labels %q", key, labels)
	}
	return oneContext("Question: "+stem+"\nAnswer:", texts, answer)
}
