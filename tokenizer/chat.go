package tokenizer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Message is one turn of a conversation. Role is "system", "user" or
// "assistant".
type Message struct{ Role, Content string }

// A Template lays a conversation out as a model was trained to read it.
type Template struct {
	name  string
	write func(b *strings.Builder, messages []Message, addGenerationPrompt bool)
}

// ErrNoTemplate is returned by Template if the file holds no chat template.
var ErrNoTemplate = errors.New("the file has no " + keyTemplate + ": it may not be a chat model; " +
	"give it a plain prompt, or name one of the templates " + strings.Join(TemplateNames(), ", "))

// Template recognises the chat template of the file by its markers. The Jinja
// program in it is not run: a template of another form is an error that says
// what to do instead.
func (t *Tokenizer) Template() (Template, error) {
	if t.template == "" {
		return Template{}, fmt.Errorf("tokenizer: %w", ErrNoTemplate)
	}
	name := recognise(t.template)
	if _, ok := builtin("")[t.template]; ok { // the name itself
		name = t.template
	}
	if name == "" {
		return Template{}, fmt.Errorf("tokenizer: %s is of no known form (it begins %.60q); "+
			"name one of the templates %s, or write the prompt as the model's card says and give it as plain text",
			keyTemplate, t.template, strings.Join(TemplateNames(), ", "))
	}
	tmpl := builtin(t.endText())[name]
	tmpl.name = name
	return tmpl, nil
}

// TemplateByName returns the template that TemplateNames lists under a name.
func (t *Tokenizer) TemplateByName(name string) (Template, error) {
	tmpl, ok := builtin(t.endText())[name]
	if !ok {
		return Template{}, fmt.Errorf("tokenizer: no chat template %q; there are %s", name, strings.Join(TemplateNames(), ", "))
	}
	tmpl.name = name
	return tmpl, nil
}

// TemplateNames lists the known templates.
func TemplateNames() []string { return slices.Sorted(maps.Keys(builtin(""))) }

// Name is the template's name, one of TemplateNames.
func (t Template) Name() string { return t.name }

// Apply writes the conversation. With addGenerationPrompt the text ends where
// the assistant's next turn begins. Encode it with AddSpecial and ParseSpecial:
// the BOS token in front is left to Encode.
func (t Template) Apply(messages []Message, addGenerationPrompt bool) string {
	var b strings.Builder
	t.write(&b, messages, addGenerationPrompt)
	return b.String()
}

// endText is the name of the EOS token, which some templates write out.
func (t *Tokenizer) endText() string {
	if t.eos >= 0 {
		return t.tokens[t.eos]
	}
	return "</s>"
}

// recognise names the template of a Jinja program, or returns "". The markers
// and their order are those of llama.cpp (src/llama-chat.cpp), but for Zephyr,
// whose program does not spell its end token.
func recognise(jinja string) string {
	has := func(markers ...string) bool {
		for _, m := range markers {
			if !strings.Contains(jinja, m) {
				return false
			}
		}
		return true
	}
	switch {
	case has("<|im_start|>", "<|im_sep|>"):
		return "phi4"
	case has("<|im_start|>", "<end_of_utterance>"):
		return "" // SmolVLM: no ChatML
	case has("<|im_start|>"):
		return "chatml"
	case has("[INST]", "[SYSTEM_PROMPT]"):
		return "mistral-v7"
	case has("[INST]") && (has("' [INST] ' + system_message") || has("[AVAILABLE_TOOLS]")):
		switch {
		case has(" [INST]"):
			return "mistral-v1"
		case has(`"[INST]"`):
			return "mistral-v3-tekken"
		}
		return "mistral-v3"
	case has("[INST]", "content.strip()"):
		return "llama2-sys-strip"
	case has("[INST]", "bos_token + '[INST]"):
		return "llama2-sys-bos"
	case has("[INST]", "<<SYS>>"):
		return "llama2-sys"
	case has("[INST]"):
		return "llama2"
	case has("<|assistant|>", "<|end|>"):
		return "phi3"
	case has("[gMASK]"):
		return "" // ChatGLM
	case has("<|user|>") && endsUserTurn(jinja):
		return "zephyr"
	case has("<|assistant|>", "<|user|>", "</s>") && !has("<|tool_declare|>"):
		return "falcon3"
	case has("<start_of_turn>"):
		return "gemma"
	case has(`'\n\nAssistant: ' + eos_token`), has("'\n\nAssistant: ' + eos_token"):
		return "orion"
	case has("GPT4 Correct "):
		return "openchat"
	case has("USER: ", "ASSISTANT: ", "SYSTEM: "):
		return "vicuna-orca"
	case has("USER: ", "ASSISTANT: "):
		return "vicuna"
	case has("### Instruction:", "<|EOT|>"):
		return "deepseek-coder"
	case has("<|START_OF_TURN_TOKEN|>", "<|USER_TOKEN|>"):
		return "command-r"
	case has("<|start_header_id|>", "<|end_header_id|>"):
		return "llama3"
	case has("'Assistant: ' + message['content'] + eos_token"):
		return "deepseek2"
	case has("<｜Assistant｜>", "<｜User｜>", "<｜end▁of▁sentence｜>"):
		return "deepseek3"
	case has("<|header_start|>", "<|header_end|>"):
		return "llama4"
	}
	return ""
}

// endsUserTurn reports whether the expression that writes the user's turn ends
// with the EOS token.
func endsUserTurn(jinja string) bool {
	_, turn, _ := strings.Cut(jinja, "<|user|>")
	turn, _, _ = strings.Cut(turn, "}}")
	return strings.Contains(turn, "eos_token") || strings.Contains(turn, "<|endoftext|>")
}

// turns is the commonest form of template: every message between markers.
type turns struct {
	before, between, after string // role stands between the first two
	trim                   bool   // content is stripped of white space at the ends
	roles                  map[string]string
	systemInUser           bool // no system turn: its text leads the user's
}

func (f turns) write(b *strings.Builder, messages []Message, addGenerationPrompt bool) {
	role := func(name string) string {
		if other, ok := f.roles[name]; ok {
			return other
		}
		return name
	}
	system := ""
	for _, m := range messages {
		content := m.Content
		if f.trim {
			content = strings.TrimSpace(content)
		}
		if f.systemInUser && m.Role == "system" {
			system += content
			continue
		}
		b.WriteString(f.before + role(m.Role) + f.between)
		if system != "" && m.Role != "assistant" {
			b.WriteString(system + "\n\n")
			system = ""
		}
		b.WriteString(content + f.after)
	}
	if addGenerationPrompt {
		b.WriteString(f.before + role("assistant") + f.between)
	}
}

// plain is a template in which each role has its own words around it.
type plain struct {
	turn       map[string][2]string // before and after the content
	generation string
}

func (f plain) write(b *strings.Builder, messages []Message, addGenerationPrompt bool) {
	for _, m := range messages {
		around, ok := f.turn[m.Role]
		if !ok {
			around = f.turn["user"]
		}
		b.WriteString(around[0] + m.Content + around[1])
	}
	if addGenerationPrompt {
		b.WriteString(f.generation)
	}
}

// instructions is the form of Llama 2 and Mistral: [INST] opens a turn of the
// user's, which the system's text leads; the answer follows [/INST].
type instructions struct {
	open, close       string // around the instruction
	sysOpen, sysClose string // around the system's text
	answer, end       string // around the assistant's
	reopen            string // open of every turn but the first
	trim, trimAnswer  bool
}

func (f instructions) write(b *strings.Builder, messages []Message, _ bool) {
	open := f.open
	inside := false
	for _, m := range messages {
		content := m.Content
		if f.trim || f.trimAnswer && m.Role == "assistant" {
			content = strings.TrimSpace(content)
		}
		if m.Role == "assistant" {
			b.WriteString(f.answer + content + f.end)
			inside = false
			continue
		}
		if !inside {
			b.WriteString(open)
			open, inside = f.reopen, true
		}
		if m.Role == "system" {
			b.WriteString(f.sysOpen + content + f.sysClose)
		} else {
			b.WriteString(content + f.close)
		}
	}
}

// builtin holds the templates; end is the text of the EOS token.
func builtin(end string) map[string]Template {
	llama2 := instructions{open: "[INST] ", close: " [/INST]", sysClose: "\n", end: "</s>", reopen: "[INST] "}
	sys := llama2
	sys.sysOpen, sys.sysClose = "<<SYS>>\n", "\n<</SYS>>\n\n"
	bos := sys
	bos.reopen = "<s>[INST] "
	strip := sys
	strip.trim = true

	return map[string]Template{
		"chatml":  {write: turns{before: "<|im_start|>", between: "\n", after: "<|im_end|>\n"}.write},
		"phi4":    {write: turns{before: "<|im_start|>", between: "<|im_sep|>", after: "<|im_end|>"}.write},
		"phi3":    {write: turns{before: "<|", between: "|>\n", after: "<|end|>\n"}.write},
		"falcon3": {write: turns{before: "<|", between: "|>\n", after: "\n"}.write},
		"zephyr":  {write: turns{before: "<|", between: "|>\n", after: end + "\n"}.write},
		"llama3": {write: turns{before: "<|start_header_id|>", between: "<|end_header_id|>\n\n", after: "<|eot_id|>",
			trim: true}.write},
		"llama4": {write: turns{before: "<|header_start|>", between: "<|header_end|>\n\n", after: "<|eot|>",
			trim: true}.write},
		"gemma": {write: turns{before: "<start_of_turn>", between: "\n", after: "<end_of_turn>\n", trim: true,
			roles: map[string]string{"assistant": "model"}, systemInUser: true}.write},
		"command-r": {write: turns{before: "<|START_OF_TURN_TOKEN|><|", between: "_TOKEN|>", after: "<|END_OF_TURN_TOKEN|>", trim: true,
			roles: map[string]string{"system": "SYSTEM", "user": "USER", "assistant": "CHATBOT"}}.write},

		"llama2":           {write: llama2.write},
		"llama2-sys":       {write: sys.write},
		"llama2-sys-bos":   {write: bos.write},
		"llama2-sys-strip": {write: strip.write},
		"mistral-v1": {write: instructions{open: " [INST] ", close: " [/INST]", sysClose: "\n\n", answer: " ", end: "</s>",
			reopen: " [INST] "}.write},
		"mistral-v3": {write: instructions{open: "[INST] ", close: "[/INST]", sysClose: "\n\n", answer: " ", end: "</s>",
			reopen: "[INST] ", trimAnswer: true}.write},
		"mistral-v3-tekken": {write: instructions{open: "[INST]", close: "[/INST]", sysClose: "\n\n", end: "</s>",
			reopen: "[INST]"}.write},

		"mistral-v7": {write: plain{turn: map[string][2]string{"system": {"[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"},
			"user": {"[INST] ", "[/INST]"}, "assistant": {" ", "</s>"}}}.write},
		"openchat": {write: plain{turn: map[string][2]string{"system": {"", "<|end_of_turn|>"},
			"user": {"GPT4 Correct User: ", "<|end_of_turn|>"}, "assistant": {"GPT4 Correct Assistant: ", "<|end_of_turn|>"}},
			generation: "GPT4 Correct Assistant:"}.write},
		"vicuna": {write: plain{turn: map[string][2]string{"system": {"", "\n\n"}, "user": {"USER: ", "\n"},
			"assistant": {"ASSISTANT: ", "</s>\n"}}, generation: "ASSISTANT:"}.write},
		"vicuna-orca": {write: plain{turn: map[string][2]string{"system": {"SYSTEM: ", "\n"}, "user": {"USER: ", "\n"},
			"assistant": {"ASSISTANT: ", "</s>\n"}}, generation: "ASSISTANT:"}.write},
		"deepseek-coder": {write: plain{turn: map[string][2]string{"user": {"### Instruction:\n", "\n"}, "system": {"", ""},
			"assistant": {"### Response:\n", "\n<|EOT|>\n"}}, generation: "### Response:\n"}.write},
		"deepseek2": {write: plain{turn: map[string][2]string{"system": {"", "\n\n"}, "user": {"User: ", "\n\n"},
			"assistant": {"Assistant: ", "<｜end▁of▁sentence｜>"}}, generation: "Assistant:"}.write},
		"deepseek3": {write: plain{turn: map[string][2]string{"system": {"", "\n\n"}, "user": {"<｜User｜>", ""},
			"assistant": {"<｜Assistant｜>", "<｜end▁of▁sentence｜>"}}, generation: "<｜Assistant｜>"}.write},
		"orion": {write: writeOrion},
	}
}

// writeOrion is Orion's form: no system turn, and the answer's marker belongs
// to the user's turn.
func writeOrion(b *strings.Builder, messages []Message, _ bool) {
	system := ""
	for _, m := range messages {
		switch m.Role {
		case "system":
			system += m.Content + "\n\n"
		case "assistant":
			b.WriteString(m.Content + "</s>")
		default:
			b.WriteString("Human: " + system + m.Content + "\n\nAssistant: </s>")
			system = ""
		}
	}
}
