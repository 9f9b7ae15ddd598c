package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/tales"
	"github.com/spf13/cobra"
)

// runFlags are the flags of the command itself.
type runFlags struct {
	modelFlags
	cmd              *cobra.Command
	prompt, file     string
	promptIDs        string
	ids              []int32 // of promptIDs; nil: the prompt is a text
	limit            int
	sample           engine.SampleOptions
	json             bool
	interactive      bool
	chat             bool
	template, system string
	guess            guessFlags
	promptCache      string // file
}

// The tale that infer writes without a model and a prompt. The seed was chosen
// for its tale.
const (
	talePrompt = "Once upon a time there was a king who had three daughters."
	taleSeed   = 6
)

const runExample = `  infer                                    a tale, by the model in this program
  infer model.gguf -p "Once upon a time"   continue a text
  infer model.gguf -f letter.txt --temp 0  continue a file, greedily
  git log -5 | infer model.gguf --chat     one answer from a chat model
  infer model.gguf                         a loop of prompts, on a terminal
  infer inspect model.gguf                 what is in a file`

func newRun() *cobra.Command {
	var o runFlags
	var showVersion bool
	cmd := &cobra.Command{
		Use:   "infer [MODEL] [-p PROMPT | -f FILE]",
		Short: "Run GGUF models on the CPU, and swap their norms",
		Long: `infer continues a text with a language model in a GGUF file. The text goes to
stdout as it is made; how long it took goes to stderr.

The prompt is that of -p, the contents of the file of -f, or else what comes
from stdin. On a terminal and without a prompt, infer asks for one after the
other. Without MODEL it uses a small one that is part of the program, and
without a prompt either it tells a tale.

Exit codes: 0, 1 (it failed), 2 (the command line is wrong), 130 (Ctrl-C).
NO_COLOR in the environment keeps colours away, and NORMSWAP_ISA=generic (or
avx2, ...) the kernels for newer processors.`,
		Example:           runExample,
		Args:              runArgs,
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			if showVersion {
				_, err := fmt.Fprintln(stdout, readBuild())
				return err
			}
			if o.chat = o.chat || o.template != "" || o.system != ""; o.chat && !cmd.Flags().Changed("tokens") {
				o.limit = -1
			}
			if err := o.check(cmd); err != nil {
				return err
			}
			return o.run(cmd, modelArg(args))
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.prompt, "prompt", "p", "", "the `text` to continue")
	f.StringVarP(&o.file, "file", "f", "", "a `file` with the text to continue; -: stdin")
	f.StringVar(&o.promptIDs, "prompt-ids", "", "the token `ids` to continue as they are, in place of a text, with commas or spaces between")
	o.addText(cmd)
	f.StringVar(&o.promptCache, "prompt-cache", "", "keep what the model computed of the prompt in a `file`, and begin from there the next time")
	f.BoolVarP(&o.interactive, "interactive", "i", false, "ask for one prompt after the other")
	f.BoolVar(&o.chat, "chat", false, "talk to a chat model: lay the prompt out by its template (a loop of prompts does so if there is one)")
	f.BoolVar(&o.json, "json", false, "print one JSON object: text, tokens, timing")
	f.BoolVar(&showVersion, "version", false, "print what infer version prints")
	return cmd
}

// addText registers the flags that say how text is made, by which model.
func (o *runFlags) addText(cmd *cobra.Command) {
	o.cmd = cmd
	f := cmd.Flags()
	f.IntVarP(&o.limit, "tokens", "n", 256, "`tokens` to make at most; -1: until the model ends or the context is full")
	f.Float64Var(&o.sample.Temperature, "temp", 0.8, "`temperature`; 0: always the most likely token")
	f.IntVar(&o.sample.TopK, "top-k", 40, "draw from the `k` most likely tokens; 0: from all")
	f.Float64Var(&o.sample.TopP, "top-p", 0.95, "draw from the most likely tokens that have `p` of the probability; 1: from all, 0: the most likely one")
	f.Float64Var(&o.sample.MinP, "min-p", 0.05, "draw from the tokens at least `p` times as likely as the first; 0: from all")
	f.Float64Var(&o.sample.RepeatPenalty, "repeat-penalty", 1, "make the last 64 tokens less likely by this `factor`; 1: not at all")
	o.sample.Seed = randomSeed()
	f.Var((*seedFlag)(&o.sample.Seed), "seed", "random `seed`; the same one gives the same text (default -1: another each time)")
	o.add(cmd, "f16")
	addTokenizer(cmd, &o.tokenizer)
	o.guess.add(cmd)
	addTemplateName(cmd, &o.template)
	f.StringVar(&o.system, "system", "", "system `message` of the chat")
}

// newChat is a conversation: the loop of prompts, laid out by the model's template.
func newChat() *cobra.Command {
	o := runFlags{interactive: true, chat: true}
	cmd := &cobra.Command{
		Use:   "chat MODEL",
		Short: "Talk to a chat model",
		Long: `chat lays what you type out by the chat template of the model, and keeps the
conversation: infer MODEL -i --chat. Without a terminal every line of stdin is a
message.

Behind /help stands what else can be typed. /norm rms-naive goes on with other
norms in the middle of a conversation and says what changed. Texts are kept in
the file that INFER_HISTORY in the environment names, empty: in none (default:
a folder for the state of programs, such as ~/.local/state/normswap/history).`,
		Example: `  infer chat model.gguf
  infer chat model.gguf --system "Answer in one sentence."
  infer chat model.gguf --chat-template chatml    for a file without a template`,
		Args: exactArgs("MODEL"), ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("tokens") {
				o.limit = -1
			}
			if err := errors.Join(o.checkSampling(), o.modelFlags.check()); err != nil {
				return err
			}
			return o.run(cmd, args[0])
		},
	}
	o.addText(cmd)
	return cmd
}

// runArgs takes one model at most, and guesses what else was meant.
func runArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && !found(args[0]) {
		if here := otherCommands[args[0]]; here != "" {
			return usagef("no file or command %q; here: %s", args[0], here)
		}
		var commands []string
		for _, sub := range cmd.Commands() {
			commands = append(commands, sub.Name())
		}
		if near := nearest(args[0], commands); near != "" {
			return usagef("no file or command %q; did you mean infer %s?", args[0], near)
		}
	}
	if len(args) > 1 {
		return usagef("unexpected %q; the prompt goes behind -p: infer %s -p %q", args[1], args[0], strings.Join(args[1:], " "))
	}
	return nil
}

// check tells what is wrong with the flags, before anything is loaded.
func (o *runFlags) check(cmd *cobra.Command) error {
	ids := cmd.Flags().Changed("prompt-ids")
	if o.interactive && (cmd.Flags().Changed("prompt") || o.file != "" || ids || o.json) {
		return usagef("--interactive reads the prompts one by one; leave out -p, -f, --prompt-ids and --json")
	}
	if ids && (cmd.Flags().Changed("prompt") || o.file != "" || o.chat) {
		return usagef("--prompt-ids is the whole prompt; leave out -p, -f and what lays out a chat")
	}
	if ids {
		var err error
		if o.ids, err = parseIDs("--prompt-ids", o.promptIDs); err != nil {
			return err
		}
	}
	if o.promptCache != "" && o.interactive {
		return usagef("--prompt-cache is for a single prompt; leave out --interactive")
	}
	if cmd.Flags().Changed("prompt") && o.file != "" {
		return usagef("-p and -f both give a prompt; leave one of them out")
	}
	if err := o.checkSampling(); err != nil {
		return err
	}
	return o.modelFlags.check()
}

// checkSampling tells what is wrong with the flags that say how text is made.
func (o *runFlags) checkSampling() error {
	if o.limit < -1 {
		return usagef("--tokens %d: want a number of tokens, or -1 for as many as there is room for", o.limit)
	}
	if err := o.guess.check(); err != nil {
		return err
	}
	if o.sample.RepeatPenalty == 0 {
		return usagef("--repeat-penalty 0: logits are divided by it; want a positive number (1: none)")
	}
	if o.sample.TopP == 0 { // one token is always kept
		o.sample.TopK = 1
	}
	if err := o.sample.Check(); err != nil {
		return usagef("%w", err)
	}
	return nil
}

func (o *runFlags) run(cmd *cobra.Command, path string) error {
	ctx := cmd.Context()
	prompt, given, err := o.readPrompt(cmd, path == "")
	if err != nil {
		return err
	}
	tale := path == "" && !given && !o.interactive
	if tale {
		o.likeEverywhere(cmd)
	}
	began := time.Now()
	m, err := o.open(ctx, path)
	if err != nil {
		return err
	}
	defer m.Close()
	draft, err := o.guess.openDraft(ctx, o.modelFlags)
	if err != nil {
		return err
	}
	if draft != nil {
		defer draft.Close()
	}
	o.useTemplate(cmd, m, o.interactive || !given && !tale)
	g, err := newGenerator(o, m)
	if err != nil {
		return err
	}
	g.loadTime, g.draft = since(began), draft
	if path == "" && !o.json {
		g.about = tales.About
	}
	switch {
	case tale:
		if !cmd.Flags().Changed("seed") {
			g.sample.Seed = taleSeed
		}
		if !cmd.Flags().Changed("tokens") {
			g.limit, g.enough = -1, endsTale
		}
		prompt, g.echo = talePrompt, true
	case o.interactive || !given:
		return g.loop(ctx)
	}
	return g.once(ctx, prompt)
}

// likeEverywhere makes the tale the same on every machine: without rounding to
// 8 or 16 bits, a difference in the last place of a sum stays there.
func (o *runFlags) likeEverywhere(cmd *cobra.Command) {
	for name, c := range map[string]*choice{"kv": &o.kv, "act": &o.act} {
		if !cmd.Flags().Changed(name) {
			c.value = "f32"
		}
	}
}

// readPrompt returns the prompt, and whether there is one: not for the
// interactive loop, and not for the tale.
func (o *runFlags) readPrompt(cmd *cobra.Command, tale bool) (prompt string, given bool, err error) {
	ctx := cmd.Context()
	switch {
	case o.interactive:
		return "", false, nil
	case o.ids != nil:
		return "", true, nil
	case cmd.Flags().Changed("prompt"):
		return o.prompt, true, nil
	case o.file != "":
		prompt, err = readText(ctx, o.file)
		return trimEnd(prompt), true, err
	case isTerminal(os.Stdin):
		if o.json && !tale {
			return "", false, usagef("--json is for a single prompt; give it with -p or -f")
		}
		return "", false, nil
	}
	prompt, err = readStdin(ctx, tale)
	prompt = trimEnd(prompt)
	return prompt, prompt != "" || !tale, err
}

// endsTale tells where a tale may end: with a paragraph when it is long
// enough, or else with a sentence before the context is full.
func endsTale(tokens int, text string) bool {
	last := text[max(0, len(text)-1):]
	quoting := strings.Count(text, `"`)%2 == 1
	return tokens >= 150 && last == "\n" || tokens >= 200 && !quoting && last != "" && strings.Contains(".!?", last)
}

// once answers one prompt.
func (g *generator) once(ctx context.Context, prompt string) error {
	r, err := g.answer(ctx, prompt, append(g.opening(), chat.Message{Role: "user", Content: prompt}))
	if err != nil {
		return err
	}
	if g.json {
		err = printJSON(stdout, r)
	} else {
		note("%s", r)
	}
	if err == nil && r.Stop == "interrupt" {
		err = ctx.Err()
	}
	return err
}

// opening is how a conversation begins before anyone asks anything.
func (g *generator) opening() []chat.Message {
	if g.system == "" {
		return nil
	}
	return []chat.Message{{Role: "system", Content: g.system}}
}
