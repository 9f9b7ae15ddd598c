package chat

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/normswap/normswap/chat/jinja"
	"github.com/normswap/normswap/tokenizer"
)

// A Message is one turn of a conversation. Role is "system", "user",
// "assistant" or what else the template knows.
type Message struct{ Role, Content string }

// A Conversation is what a template's program reads: the variable messages,
// and whatever else it was given, such as tools.
type Conversation struct{ vars *jinja.Dict }

// NewConversation makes a conversation of plain turns.
func NewConversation(messages ...Message) *Conversation {
	list := make([]jinja.Value, len(messages))
	for i, m := range messages {
		turn := jinja.NewDict()
		turn.Set(jinja.Literal("role"), jinja.Content(m.Role))
		turn.Set(jinja.Literal("content"), jinja.Content(m.Content))
		list[i] = turn
	}
	vars := jinja.NewDict()
	vars.Set(jinja.Literal(varMessages), jinja.NewList(list...))
	return newConversation(vars)
}

// The names of variables that have a meaning here.
const (
	varMessages = "messages"
	varPrompt   = "add_generation_prompt"
	varBOS      = "bos_token"
	varEOS      = "eos_token"
)

// ParseConversation reads the variables of a template from a JSON object, in
// transformers' terms: messages, and if wanted tools, documents,
// add_generation_prompt (true unless it is there), bos_token, eos_token,
// enable_thinking and any other. The order of keys stays. A message has a role,
// a content that is a string or a list of parts, and perhaps tool_calls,
// reasoning_content and others: the template's program decides.
func ParseConversation(data []byte) (*Conversation, error) {
	v, err := jinja.ParseJSON(data)
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	vars, ok := v.(*jinja.Dict)
	if !ok {
		return nil, errors.New("chat: the conversation is no JSON object")
	}
	m, ok := vars.Get(varMessages)
	if !ok {
		return nil, fmt.Errorf("chat: the conversation has no %q", varMessages)
	}
	list, ok := m.(*jinja.List)
	if !ok {
		return nil, fmt.Errorf("chat: %q is no list", varMessages)
	}
	for i, turn := range list.Items() {
		if _, ok := turn.(*jinja.Dict); !ok {
			return nil, fmt.Errorf("chat: %s[%d] is no object", varMessages, i)
		}
	}
	return newConversation(vars), nil
}

// newConversation decides what is no content: the names of roles, which
// templates put into the names of control tokens (<|user|>), and the names of
// tokens.
func newConversation(vars *jinja.Dict) *Conversation {
	m, _ := vars.Get(varMessages)
	for _, turn := range m.(*jinja.List).Items() {
		trust(turn.(*jinja.Dict), "role", isWord)
	}
	for _, key := range vars.Keys() {
		if name, ok := key.(jinja.Str); ok && strings.HasSuffix(name.String(), "_token") {
			trust(vars, name.String(), func(string) bool { return true })
		}
	}
	return &Conversation{vars}
}

// trust makes a string under a key the template's own if it is fit to be.
func trust(d *jinja.Dict, key string, fit func(string) bool) {
	v, _ := d.Get(key)
	if s, ok := v.(jinja.Str); ok && fit(s.String()) {
		d.Set(jinja.Literal(key), jinja.Literal(s.String()))
	}
}

// isWord reports whether a role is a name, which cannot hold the delimiters of
// a control token.
func isWord(role string) bool {
	return strings.IndexFunc(role, func(r rune) bool {
		return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) < 0
}

// variables are those of the conversation, and what is given unless it has
// them.
func (c *Conversation) variables(t *tokenizer.Tokenizer) *jinja.Dict {
	vars := jinja.NewDict()
	vars.Set(jinja.Literal(varPrompt), true)
	if t != nil {
		if id, ok := t.BOS(); ok {
			vars.Set(jinja.Literal(varBOS), jinja.Literal(t.Piece(id)))
		}
		if id, ok := t.EOS(); ok {
			vars.Set(jinja.Literal(varEOS), jinja.Literal(t.Piece(id)))
		}
	}
	for _, key := range c.vars.Keys() {
		name := key.(jinja.Str).String() // of a JSON object
		v, _ := c.vars.Get(name)
		vars.Set(key, v)
	}
	return vars
}
