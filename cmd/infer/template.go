package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/chat/jinja"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/tokenizer"
	"github.com/spf13/cobra"
)

func newTemplate() *cobra.Command {
	var messages, name string
	var pieces, idsOnly bool
	cmd := &cobra.Command{
		Use:   "template MODEL|FILE.jinja --messages FILE.json",
		Short: "Show the text that a chat template makes of a conversation",
		Long: `template prints the prompt that a model gets for a conversation, as it is. The
template is that of a GGUF file, or a Jinja program in a file of its own.

The conversation is a JSON object as in Hugging Face transformers: messages, and
if wanted tools, documents, add_generation_prompt (true unless it is there),
bos_token, eos_token, enable_thinking and any other variable of the template.
Where the template raises an error, so does this command.`,
		Example: `  infer template model.gguf --messages chat.json
  infer template prompt.jinja --messages - < chat.json
  infer template model.gguf --messages chat.json --pieces`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case messages == "":
				return usagef("--messages is missing; it names a file with the conversation as JSON, - is stdin")
			case pieces && idsOnly:
				return usagef("--pieces and --ids both say what to print; leave one of them out")
			}
			return exactArgs("MODEL")(cmd, args)
		},
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			tmpl, tok, err := openTemplate(ctx, args[0], name)
			if err != nil {
				return err
			}
			if idsOnly && tok == nil {
				return usagef("--ids needs a vocabulary, and %s has none", args[0])
			}
			text, err := readText(ctx, messages)
			if err != nil {
				return err
			}
			conversation, err := chat.ParseConversation([]byte(text))
			if err != nil {
				return fmt.Errorf("%s: %w", messages, err)
			}
			prompt, err := tmpl.Render(ctx, conversation, chat.Options{Tokenizer: tok})
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			w := bufio.NewWriter(stdout)
			switch {
			case pieces:
				for _, p := range prompt {
					fmt.Fprintf(w, "%-8s %q\n", map[bool]string{false: "template", true: "content"}[p.Content], p.Text)
				}
			case idsOnly:
				ids, err := encodePieces(ctx, tok, prompt)
				if err != nil {
					return err
				}
				printIDs(w, ids)
			default:
				screen := newScreen(stdout)
				if _, err := io.WriteString(screen, chat.Text(prompt)); err != nil {
					return err
				}
				if s, ok := screen.(interface{ Flush() error }); ok {
					return s.Flush()
				}
			}
			return w.Flush()
		},
	}
	f := cmd.Flags()
	f.StringVar(&messages, "messages", "", "`file` with the conversation as JSON; -: stdin")
	f.BoolVar(&pieces, "pieces", false, "print a piece a line, and whether it is of the template or content")
	f.BoolVar(&idsOnly, "ids", false, "print the ids of the tokens, on one line")
	addTemplateName(cmd, &name)
	return cmd
}

// addTemplateName adds the flag that names a template.
func addTemplateName(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "chat-template", "", "`name` of the chat template for a file without one")
	_ = cmd.RegisterFlagCompletionFunc("chat-template", cobra.FixedCompletions(chat.Names(), cobra.ShellCompDirectiveNoFileComp))
}

// openTemplate reads the template of a GGUF file, with its vocabulary, or a
// program in a file of its own.
func openTemplate(ctx context.Context, path, name string) (*chat.Template, *tokenizer.Tokenizer, error) {
	isModel, err := beginsWith(path, "GGUF")
	if err != nil {
		return nil, nil, err
	}
	if !isModel {
		if name != "" {
			return nil, nil, usagef("--chat-template is for models; %s is a template itself", path)
		}
		source, err := readText(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		tmpl, err := chat.Parse(source)
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
		return tmpl, nil, err
	}
	f, err := openFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	tok, err := tokenizer.New(&f.Meta)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	tmpl, err := templateOf(tok, name)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return tmpl, tok, err
}

// beginsWith reports whether a file begins with a word.
func beginsWith(path, word string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if isFolder(path) {
		return false, fmt.Errorf("%s is a folder; name a file", path)
	}
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return false, fmt.Errorf("%s is no regular file", path)
	}
	begin := make([]byte, len(word))
	if _, err := io.ReadFull(f, begin); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	return bytes.Equal(begin, []byte(word)), nil
}

// templateOf is the chat template of a model: that of its file, or else the one
// that is named.
func templateOf(tok *tokenizer.Tokenizer, name string) (*chat.Template, error) {
	tmpl, err := chat.Of(tok)
	if name == "" {
		if errors.Is(err, chat.ErrNoTemplate) {
			err = fmt.Errorf("%w; give it a plain prompt, or name a template: --chat-template %s", err, strings.Join(chat.Names(), ", "))
		}
		return tmpl, err
	}
	other, unknown := chat.Named(name)
	switch {
	case unknown != nil:
		return nil, unknown
	case errors.Is(err, chat.ErrNoTemplate):
		return other, nil
	case err == nil:
		note("warning: the file has a chat template, which is used; --chat-template is for files without one")
	}
	return tmpl, err
}

// useTemplate makes a loop of prompts a chat if the model has a template. For
// a single prompt it only says that there is one.
func (o *runFlags) useTemplate(cmd *cobra.Command, m *engine.Model, loop bool) {
	tok, err := m.Tokenizer()
	if err != nil || o.chat || cmd.Flags().Changed("chat") || tok.ChatTemplate("") == "" {
		return
	}
	switch {
	case loop:
		if o.chat = true; !cmd.Flags().Changed("tokens") {
			o.limit = -1
		}
	case stderr.terminal:
		note("the model has a chat template; --chat uses it")
	}
}

// answer continues a prompt, or in a chat its last turn.
func (g *generator) answer(ctx context.Context, prompt string, turns []chat.Message) (*result, error) {
	if !g.chat {
		return g.generate(ctx, prompt, nil)
	}
	pieces, err := g.layout.Render(ctx, chat.NewConversation(turns...), chat.Options{Tokenizer: g.tok})
	if err != nil {
		return nil, templateAdvice(err)
	}
	return g.generate(ctx, chat.Text(pieces), pieces)
}

// templateAdvice adds to the error of a template how to do without it.
func templateAdvice(err error) error {
	var raised *jinja.Error
	if errors.As(err, &raised) {
		return fmt.Errorf("%w (--chat=false gives the model plain text)", err)
	}
	return err
}

// encodePieces returns the tokens of a chat.
func encodePieces(ctx context.Context, tok *tokenizer.Tokenizer, pieces []chat.Piece) ([]int32, error) {
	ids, err := chat.Encode(ctx, tok, pieces)
	if len(ids) > 0 {
		err = leftOut(err)
	}
	if err != nil {
		return nil, fmt.Errorf("the prompt: %w", err)
	}
	return ids, nil
}
