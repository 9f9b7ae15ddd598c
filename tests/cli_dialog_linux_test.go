package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// TestDialog: wide characters, a pasted block, which the history brings back whole
// in another run, and settings.
func TestDialog(t *testing.T) {
	history := filepath.Join(t.TempDir(), "state", "history")
	env := "INFER_HISTORY=" + history
	model := testdata.Path(t, stories)
	x := onTerminal(t, env, model, "--temp", "0", "-n", "3")
	x.prompted()
	x.press("日本語\x7f\x7f\x7fOnce upon\r")
	x.waitFor("decode", 1)
	if text := x.text(); !strings.Contains(text, "Once upon a time") || strings.Contains(text, "日本語Once") {
		t.Errorf("three wide characters are not three Backspaces: %q", text)
	}
	x.prompted()
	x.press("\x1b[200~One day\nLily\x1b[201~\r")
	x.waitFor("decode", 2)
	x.prompted()
	x.press(" Tom\r")
	x.waitFor("decode", 3)
	x.prompted()
	// Between two texts the terminal edits lines itself: each waits for its prompt.
	for _, c := range [][2]string{{"/set tokens 2", "> "}, {"/set nothing", `/set knows no "nothing"`}, {"/set temp hot", "--temp hot: not a number"}, {"/set top_k -1", "top-k is -1"},
		{"/set", "tokens         2"}, {"/norm", "norms: native"}, {"/norm wrong", "/norm wrong: "}} {
		x.press(c[0] + "\r")
		x.waitFor(c[1], 1)
		x.prompted()
	}
	x.press(ctrlD)
	if code := x.ends(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if b, err := os.ReadFile(history); err != nil || !strings.Contains(string(b), `"One day\nLily"`) || strings.Contains(string(b), "Tom") {
		t.Errorf("the history: %q, %v", b, err)
	}
	info, err := os.Stat(history)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	x = onTerminal(t, env, model, "--temp", "0", "-n", "3")
	x.prompted()
	x.press(strings.Repeat(up, 8)) // past what was typed behind it
	x.wait("the pasted block", func(text string) bool { return strings.Contains(text, "> One day\r\n  Lily") })
	x.press("\r")
	x.waitFor("One day\r\nLily", 1)
	x.waitFor("decode", 1)
	x.prompted()
	x.press("/history off\r")
	x.waitFor("kept no more", 1)
	x.prompted()
	x.press(ctrlD)
	if code := x.ends(); code != 0 {
		t.Errorf("exit %d, %q", code, x.text())
	}
	x = onTerminal(t, "INFER_HISTORY="+t.TempDir(), model, "--temp", "0", "-n", "3")
	x.prompted()
	if x.press(ctrlD); x.ends() != 0 || !strings.Contains(x.text(), "the history is not kept") {
		t.Errorf("a folder as history: %q", x.text())
	}
}

// TestSwapInDialog: other norms in the middle of a conversation give what they
// give from its beginning, and native norms again what they gave before.
func TestSwapInDialog(t *testing.T) {
	model := filepath.Join("..", "internal", "tales", "fairy-tales-5.5M-layernorm-Q8_0.gguf")
	options := []string{"--chat-template", "chatml", "--temp", "0", "-n", "12"}
	r := inferWith(t, "Hello\n/norm rms-naive\n/norm rms-folded\n/norm native\nAgain\n\"\"\"one\ntwo\"\"\"\n/norm\n/x y\n", append([]string{"chat", model}, options...)...)
	plain := inferWith(t, "Hello\nAgain\n\"\"\"one\ntwo\"\"\"\n", append([]string{"chat", model}, options...)...)
	if r.code != 0 || r.stdout != plain.stdout || strings.Count(r.stdout, "\n") != 3 {
		t.Errorf("%+v, want %+v", r, plain)
	}
	for _, want := range []string{"norms: native -> rms-naive; 9 of 9 norms swapped", "norms: rms-folded -> native; 0 of 9", "norms: native\n", "no command /x", "of the last text: KL "} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in %s", want, r.stderr)
		}
	}
	naive := inferWith(t, "/norm rms-naive\nHello\n", append([]string{"chat", model}, options...)...)
	if want := inferWith(t, "Hello\n", append([]string{"chat", model, "--norm", "rms-naive"}, options...)...); naive.stdout != want.stdout || want.code != 0 {
		t.Errorf("rms-naive: %+v, want %+v", naive, want)
	}
	infer(t, "chat", model).fails(t, 1, "no chat template", "--chat-template")
	infer(t, "chat").fails(t, 2, "MODEL")
}
