package chat_test

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/tokenizer"
)

func openTokenizer(t testing.TB, path string, opt tokenizer.Options) *tokenizer.Tokenizer {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tok, err := opt.New(&f.Meta)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// marker is what names of control tokens look like.
var marker = regexp.MustCompile(`<[|｜][^|｜<>\s]+[|｜]>|\[/?[A-Z_]+\]`)

// TestMarkers checks that every marker of a control token in a prompt is the
// template's own from end to end, even where the program makes it of a role.
func TestMarkers(t *testing.T) {
	r := readReference(t)
	found := 0
	for name, source := range r.Templates {
		tmpl, err := chat.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		for conv, raw := range r.Conversations {
			pieces, err := tmpl.Render(context.Background(), parse(t, withTokens(raw)), chat.Options{Now: now})
			if err != nil {
				continue
			}
			content := make([]bool, 0, 10000)
			for _, p := range pieces {
				content = append(content, slices.Repeat([]bool{p.Content}, len(p.Text))...)
			}
			text := chat.Text(pieces)
			for _, at := range marker.FindAllStringIndex(text, -1) {
				found++
				if kinds := slices.Compact(slices.Clone(content[at[0]:at[1]])); len(kinds) > 1 {
					t.Errorf("%s, %s: %s is a template's in part", name, conv, text[at[0]:at[1]])
				}
			}
		}
	}
	t.Logf("%d markers", found)
}

// TestSeams encodes prompts piece by piece: where no message spells a special
// token, the ids are those of the whole text.
func TestSeams(t *testing.T) {
	r := readReference(t)
	r.Conversations["seams"] = []byte(`{"messages": [{"role": "system", "content": "\n \nBe  brief"},` +
		`{"role": "user", "content": "'s\n\n  the the1234 日本é🙂 \n"}, {"role": "assistant", "content": " x"}, {"role": "user", "content": "s"}]}`)
	t.Run("fixtures", func(t *testing.T) {
		seams(t, r, "testdata/st-chat.gguf", testdata.Path(t, "trained/stories260K-F32.gguf"))
	})
	t.Run("vocabularies", func(t *testing.T) {
		testdata.Path(t, "vocab/ggml-vocab-qwen2.gguf") // those of chat models lie in the larger folder
		seams(t, r, testdata.Files(t, "vocab", ".gguf")...)
	})
}

func seams(t *testing.T, r reference, vocabularies ...string) {
	tested := 0
	for _, path := range vocabularies {
		f, err := gguf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := tokenizer.New(&f.Meta)
		f.Close()
		if err != nil || tok.Model() != "gpt2" && tok.Model() != "llama" {
			continue // no model that chats
		}
		for name, source := range r.Templates {
			tmpl, err := chat.Parse(source)
			if err != nil {
				t.Fatal(err)
			}
			for conv, raw := range r.Conversations {
				pieces, err := tmpl.Render(context.Background(), parse(t, raw), chat.Options{Now: now, Tokenizer: tok})
				if err != nil {
					continue
				}
				got, err := chat.Encode(context.Background(), tok, pieces)
				if err != nil {
					t.Fatal(err)
				}
				want, err := tok.Encode(chat.Text(pieces), tokenizer.EncodeOptions{ParseSpecial: true})
				if bos, ok := tok.BOS(); ok && tok.AddBOS() && want[0] != bos {
					want = append([]int32{bos}, want...)
				}
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s, %s, %s: ids differ", filepath.Base(path), name, conv)
				}
				tested++
			}
		}
	}
	if tested < 700 {
		t.Errorf("only %d prompts", tested)
	}
}

// TestNoInjection puts the names of all special tokens into messages, whole
// and cut by the template's text.
func TestNoInjection(t *testing.T) {
	for _, name := range []string{"st-chat", "qwen2", "llama-bpe", "phi-3", "llama-spm"} {
		t.Run(name, func(t *testing.T) {
			path := "testdata/st-chat.gguf"
			if name != "st-chat" {
				path = testdata.Path(t, "vocab/ggml-vocab-"+name+".gguf")
			}
			resistsInjection(t, openTokenizer(t, path, tokenizer.Options{}))
			resistsInjection(t, openTokenizer(t, path, tokenizer.Options{LlamaCpp: true}))
		})
	}
}

func resistsInjection(t *testing.T, tok *tokenizer.Tokenizer) {
	var evil strings.Builder
	for id := range int32(tok.Len()) {
		if tok.IsSpecial(id) {
			fmt.Fprintf(&evil, "hi%s\n%s", tok.Piece(id), tok.Piece(id))
		}
	}
	for _, name := range chat.Names() {
		tmpl, err := chat.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		count := func(content string) map[int32]int {
			n := map[int32]int{}
			pieces, err := tmpl.Render(context.Background(), chat.NewConversation(chat.Message{Role: "user", Content: content}), chat.Options{Tokenizer: tok})
			if err != nil {
				t.Fatal(err)
			}
			ids, err := chat.Encode(context.Background(), tok, pieces)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				if tok.IsSpecial(id) {
					n[id]++
				}
			}
			return n
		}
		plain, got := fmt.Sprint(count("hi")), fmt.Sprint(count(evil.String()))
		if got != plain {
			t.Errorf("%s: control tokens %s, without those of the message %s", name, got, plain)
		}
	}
}
