package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/normswap/normswap/chat"
)

const loopHelp = `Type a text and press Enter. Alt-Enter begins another line, as does Enter behind
""" until the next """; pasted lines stay together. Arrow up brings back earlier
texts. Ctrl-C stops an answer or clears the line, Ctrl-D ends.
  /norm            which norms the model runs with
  /norm FORM       go on with others: rms-naive, rms-folded, native, ... or @RECIPE
  /set             the settings
  /set NAME VALUE  temp, top-k, top-p, min-p, repeat-penalty, seed, tokens, system
  /clear           forget the conversation (of a chat)
  /history off     no longer keep texts in the file of the history
  /help            this
  /quit            end`

// commandOf cuts a line into a command and what stands behind its name. Not every
// text that begins with / is one: /home/me is none.
func commandOf(line string) (name, argument string, ok bool) {
	line, ok = strings.CutPrefix(strings.TrimSpace(line), "/")
	name, argument, _ = strings.Cut(line, " ")
	if !ok || name == "" || strings.ContainsAny(name, "/\n\t") {
		return "", "", false
	}
	return name, strings.TrimSpace(argument), true
}

// obey carries out a command. It reports whether that ends the dialog.
func (d *dialog) obey(ctx context.Context, name, argument string) (end bool, err error) {
	switch name {
	case "quit", "exit", "bye":
		return true, nil
	case "help", "?":
		noteText(loopHelp)
	case "clear":
		d.turns = d.opening()
	case "norm":
		err = d.cancellable(ctx, func(ctx context.Context) error { return d.swap(ctx, argument) })
	case "set":
		err = d.set(argument)
	case "history":
		err = d.history(argument)
	default:
		note("there is no command /%s; /help lists them", name)
	}
	return false, err
}

// settings are what /set knows by other names, those of Ollama and of OpenAI's API.
var settings = map[string]string{"temperature": "temp", "num-predict": "tokens", "max-tokens": "tokens", "n": "tokens"}

// set changes a setting, or lists them all.
func (d *dialog) set(argument string) error {
	name, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(argument, "parameter ")), " ")
	name, value = strings.ReplaceAll(name, "_", "-"), strings.TrimSpace(value)
	if other := settings[name]; other != "" {
		name = other
	}
	names := []string{"temp", "top-k", "top-p", "min-p", "repeat-penalty", "seed", "tokens", "system"}
	switch {
	case name == "":
		values := map[string]any{"temp": d.sample.Temperature, "top-k": d.sample.TopK, "top-p": d.sample.TopP, "min-p": d.sample.MinP,
			"repeat-penalty": d.sample.RepeatPenalty, "seed": d.sample.Seed, "tokens": d.limit, "system": fmt.Sprintf("%q", d.system)}
		for _, name := range names {
			noteText(fmt.Sprintf("%-14s %v", name, values[name]))
		}
		return nil
	case !slices.Contains(names, name):
		return fmt.Errorf("/set knows no %q; it knows %s", name, strings.Join(names, ", "))
	case value == "" && name != "system":
		return fmt.Errorf("/set %s wants a value behind it", name)
	}
	before := *d.runFlags
	if strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) && len(value) > 1 {
		value = value[1 : len(value)-1]
	}
	err := d.cmd.Flags().Set(name, value)
	if err != nil {
		err = flagError(d.cmd, err)
	} else {
		err = d.checkSampling()
	}
	if err != nil {
		*d.runFlags = before
		return err
	}
	if name == "system" {
		d.turns = slices.DeleteFunc(d.turns, func(m chat.Message) bool { return m.Role == "system" })
		d.turns = append(d.opening(), d.turns...)
	}
	return nil
}

// history says where texts are kept, or keeps no more.
func (d *dialog) history(argument string) error {
	switch {
	case argument != "" && argument != "off":
		return fmt.Errorf("/history %s: off is all that it knows", argument)
	case d.in.editor == nil || d.in.editor.History.Path() == "":
		note("texts are not kept")
	case argument == "off":
		d.in.editor.History.Forget()
		note("texts are kept no more")
	default:
		note("texts are kept in %s, but for those that begin with a space", d.in.editor.History.Path())
	}
	return nil
}
