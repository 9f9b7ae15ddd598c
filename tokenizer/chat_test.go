package tokenizer

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// conversation is that of llama.cpp's tests/test-chat-template.cpp, and the
// texts wanted below are what llama.cpp's llama_chat_apply_template (v0.5.0)
// makes of it.
var conversation = []Message{
	{"system", "You are a helpful assistant"},
	{"user", "Hello"},
	{"assistant", "Hi there"},
	{"user", "Who are you"},
	{"assistant", "   I am an assistant   "},
	{"user", "Another question"},
}

// chatCases has for each template a program with its markers, as models carry
// it, and the conversation laid out.
var chatCases = []struct{ name, jinja, want string }{
	{"chatml", `{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n'}}{% endfor %}`,
		"<|im_start|>system\nYou are a helpful assistant<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n" +
			"<|im_start|>user\nWho are you<|im_end|>\n<|im_start|>assistant\n   I am an assistant   <|im_end|>\n" +
			"<|im_start|>user\nAnother question<|im_end|>\n<|im_start|>assistant\n"},
	{"phi4", `{{'<|im_start|>user<|im_sep|>' + m['content'] + '<|im_end|>'}}`,
		"<|im_start|>system<|im_sep|>You are a helpful assistant<|im_end|><|im_start|>user<|im_sep|>Hello<|im_end|>" +
			"<|im_start|>assistant<|im_sep|>Hi there<|im_end|><|im_start|>user<|im_sep|>Who are you<|im_end|>" +
			"<|im_start|>assistant<|im_sep|>   I am an assistant   <|im_end|><|im_start|>user<|im_sep|>Another question<|im_end|>" +
			"<|im_start|>assistant<|im_sep|>"},
	{"llama2", `{{ bos_token }}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}{{ m['content'] + eos_token}}{% endif %}`,
		"[INST] You are a helpful assistant\nHello [/INST]Hi there</s>[INST] Who are you [/INST]   I am an assistant   </s>" +
			"[INST] Another question [/INST]"},
	{"llama2-sys", `{% set s = '<<SYS>>\n' + m['content'] + '\n<</SYS>>\n\n' %}{{ '[INST] ' + s }}`,
		"[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST]Hi there</s>[INST] Who are you [/INST]" +
			"   I am an assistant   </s>[INST] Another question [/INST]"},
	{"llama2-sys-bos", `{{ '[INST] <<SYS>>\n' + m['content'] }}{{ bos_token + '[INST] ' + m['content'] + ' [/INST]' }}`,
		"[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST]Hi there</s><s>[INST] Who are you [/INST]" +
			"   I am an assistant   </s><s>[INST] Another question [/INST]"},
	{"llama2-sys-strip", `{{ '[INST] <<SYS>>\n' + content.strip() + ' [/INST]' }}`,
		"[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST]Hi there</s>[INST] Who are you [/INST]" +
			"I am an assistant</s>[INST] Another question [/INST]"},
	{"mistral-v1", `{{ ' [INST] ' + system_message + '\n\n' + m['content'] + ' [/INST]' }}`,
		" [INST] You are a helpful assistant\n\nHello [/INST] Hi there</s> [INST] Who are you [/INST]    I am an assistant   </s>" +
			" [INST] Another question [/INST]"},
	{"mistral-v3", `{{ '[AVAILABLE_TOOLS]' }}{{ '[INST] ' + m['content'] + '[/INST]' }}`,
		"[INST] You are a helpful assistant\n\nHello[/INST] Hi there</s>[INST] Who are you[/INST] I am an assistant</s>" +
			"[INST] Another question[/INST]"},
	{"mistral-v3-tekken", `{{ "[AVAILABLE_TOOLS]" }}{{ "[INST]" + m["content"] + "[/INST]" }}`,
		"[INST]You are a helpful assistant\n\nHello[/INST]Hi there</s>[INST]Who are you[/INST]   I am an assistant   </s>" +
			"[INST]Another question[/INST]"},
	{"mistral-v7", `{{ '[INST] ' + m['content'] + '[/INST]' }}{{ '[SYSTEM_PROMPT] ' + m['content'] + '[/SYSTEM_PROMPT]' }}`,
		"[SYSTEM_PROMPT] You are a helpful assistant[/SYSTEM_PROMPT][INST] Hello[/INST] Hi there</s>[INST] Who are you[/INST]" +
			"    I am an assistant   </s>[INST] Another question[/INST]"},
	{"phi3", `{{'<|user|>' + '\n' + m['content'] + '<|end|>' + '\n' + '<|assistant|>' + '\n'}}`,
		"<|system|>\nYou are a helpful assistant<|end|>\n<|user|>\nHello<|end|>\n<|assistant|>\nHi there<|end|>\n" +
			"<|user|>\nWho are you<|end|>\n<|assistant|>\n   I am an assistant   <|end|>\n<|user|>\nAnother question<|end|>\n<|assistant|>\n"},
	{"zephyr", `{% if m['role'] == 'user' %}{{ '<|user|>\n' + m['content'] + eos_token }}{% else %}{{ '<|assistant|>\n' + m['content'] + eos_token }}{% endif %}`,
		"<|system|>\nYou are a helpful assistant<|endoftext|>\n<|user|>\nHello<|endoftext|>\n<|assistant|>\nHi there<|endoftext|>\n" +
			"<|user|>\nWho are you<|endoftext|>\n<|assistant|>\n   I am an assistant   <|endoftext|>\n" +
			"<|user|>\nAnother question<|endoftext|>\n<|assistant|>\n"},
	{"falcon3", `{{ '<|user|>\n' + m['content'] + '\n' }}{{ '<|assistant|>\n' + m['content'] + '</s>' }}`,
		"<|system|>\nYou are a helpful assistant\n<|user|>\nHello\n<|assistant|>\nHi there\n<|user|>\nWho are you\n" +
			"<|assistant|>\n   I am an assistant   \n<|user|>\nAnother question\n<|assistant|>\n"},
	{"gemma", `{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}`,
		"<start_of_turn>user\nYou are a helpful assistant\n\nHello<end_of_turn>\n<start_of_turn>model\nHi there<end_of_turn>\n" +
			"<start_of_turn>user\nWho are you<end_of_turn>\n<start_of_turn>model\nI am an assistant<end_of_turn>\n" +
			"<start_of_turn>user\nAnother question<end_of_turn>\n<start_of_turn>model\n"},
	{"orion", `{{ 'Human: ' + m['content'] + '\n\nAssistant: ' + eos_token }}`,
		"Human: You are a helpful assistant\n\nHello\n\nAssistant: </s>Hi there</s>Human: Who are you\n\nAssistant: </s>" +
			"   I am an assistant   </s>Human: Another question\n\nAssistant: </s>"},
	{"openchat", `{{ 'GPT4 Correct ' + m['role'].title() + ': ' + m['content'] + '<|end_of_turn|>'}}`,
		"You are a helpful assistant<|end_of_turn|>GPT4 Correct User: Hello<|end_of_turn|>GPT4 Correct Assistant: Hi there<|end_of_turn|>" +
			"GPT4 Correct User: Who are you<|end_of_turn|>GPT4 Correct Assistant:    I am an assistant   <|end_of_turn|>" +
			"GPT4 Correct User: Another question<|end_of_turn|>GPT4 Correct Assistant:"},
	{"vicuna", `{{'USER: ' + m['content'] + '\n'}}{{'ASSISTANT: ' + m['content'] + '</s>\n'}}`,
		"You are a helpful assistant\n\nUSER: Hello\nASSISTANT: Hi there</s>\nUSER: Who are you\nASSISTANT:    I am an assistant   </s>\n" +
			"USER: Another question\nASSISTANT:"},
	{"vicuna-orca", `{{'SYSTEM: ' + m['content']}}{{'USER: ' + m['content'] + '\n'}}{{'ASSISTANT: ' + m['content'] + '</s>\n'}}`,
		"SYSTEM: You are a helpful assistant\nUSER: Hello\nASSISTANT: Hi there</s>\nUSER: Who are you\n" +
			"ASSISTANT:    I am an assistant   </s>\nUSER: Another question\nASSISTANT:"},
	{"deepseek-coder", `{{'### Instruction:\n' + m['content'] + '\n'}}{{'### Response:\n' + m['content'] + '\n<|EOT|>\n'}}`,
		"You are a helpful assistant### Instruction:\nHello\n### Response:\nHi there\n<|EOT|>\n### Instruction:\nWho are you\n" +
			"### Response:\n   I am an assistant   \n<|EOT|>\n### Instruction:\nAnother question\n### Response:\n"},
	{"command-r", `{{ '<|START_OF_TURN_TOKEN|><|USER_TOKEN|>' + content + '<|END_OF_TURN_TOKEN|>' }}`,
		"<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>You are a helpful assistant<|END_OF_TURN_TOKEN|>" +
			"<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hello<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Hi there<|END_OF_TURN_TOKEN|>" +
			"<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Who are you<|END_OF_TURN_TOKEN|>" +
			"<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>I am an assistant<|END_OF_TURN_TOKEN|>" +
			"<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Another question<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"},
	{"llama3", `{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}`,
		"<|start_header_id|>system<|end_header_id|>\n\nYou are a helpful assistant<|eot_id|>" +
			"<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHi there<|eot_id|>" +
			"<|start_header_id|>user<|end_header_id|>\n\nWho are you<|eot_id|>" +
			"<|start_header_id|>assistant<|end_header_id|>\n\nI am an assistant<|eot_id|>" +
			"<|start_header_id|>user<|end_header_id|>\n\nAnother question<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
	{"llama4", `{{ '<|header_start|>' + m['role'] + '<|header_end|>\n\n' + m['content'] | trim + '<|eot|>' }}`,
		"<|header_start|>system<|header_end|>\n\nYou are a helpful assistant<|eot|><|header_start|>user<|header_end|>\n\nHello<|eot|>" +
			"<|header_start|>assistant<|header_end|>\n\nHi there<|eot|><|header_start|>user<|header_end|>\n\nWho are you<|eot|>" +
			"<|header_start|>assistant<|header_end|>\n\nI am an assistant<|eot|><|header_start|>user<|header_end|>\n\nAnother question<|eot|>" +
			"<|header_start|>assistant<|header_end|>\n\n"},
	{"deepseek2", `{{ 'User: ' + m['content'] + '\n\n' }}{{ 'Assistant: ' + message['content'] + eos_token }}`,
		"You are a helpful assistant\n\nUser: Hello\n\nAssistant: Hi there<｜end▁of▁sentence｜>User: Who are you\n\n" +
			"Assistant:    I am an assistant   <｜end▁of▁sentence｜>User: Another question\n\nAssistant:"},
	{"deepseek3", `{{'<｜User｜>' + m['content']}}{{'<｜Assistant｜>' + m['content'] + '<｜end▁of▁sentence｜>'}}`,
		"You are a helpful assistant\n\n<｜User｜>Hello<｜Assistant｜>Hi there<｜end▁of▁sentence｜><｜User｜>Who are you" +
			"<｜Assistant｜>   I am an assistant   <｜end▁of▁sentence｜><｜User｜>Another question<｜Assistant｜>"},
}

func TestTemplates(t *testing.T) {
	var tested []string
	for _, c := range chatCases {
		t.Run(c.name, func(t *testing.T) {
			end := "<|endoftext|>" // EOS of the vocabulary, which zephyr writes
			tok := mustNew(t, bpeMeta(t, map[string]any{keyTemplate: c.jinja, keyTokens: []string{"a", "b", "ab", "Ġ", end}, keyEOS: uint32(4)}))
			tmpl, err := tok.Template()
			if err != nil {
				t.Fatal(err)
			}
			if tmpl.Name() != c.name {
				t.Fatalf("taken for %s", tmpl.Name())
			}
			got := tmpl.Apply(conversation, true)
			if got != c.want {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
			named, err := tok.TemplateByName(c.name)
			if err != nil || named.Apply(conversation, true) != got {
				t.Errorf("by name: %v", err)
			}
			// Without the assistant's next turn the text is a beginning of it.
			if short := tmpl.Apply(conversation, false); !strings.HasPrefix(got, short) {
				t.Errorf("without generation prompt: %q", short)
			}
			if again := mustNew(t, bpeMeta(t, map[string]any{keyTemplate: c.name})); !sameTemplate(again, c.name) {
				t.Errorf("a file that names %s is not understood", c.name)
			}
		})
		tested = append(tested, c.name)
	}
	slices.Sort(tested)
	if !slices.Equal(tested, TemplateNames()) {
		t.Errorf("tested %v, there are %v", tested, TemplateNames())
	}
}

func sameTemplate(tok *Tokenizer, name string) bool {
	tmpl, err := tok.Template()
	return err == nil && tmpl.Name() == name
}

func TestTemplateErrors(t *testing.T) {
	if _, err := mustNew(t, bpeMeta(t, nil)).Template(); !errors.Is(err, ErrNoTemplate) || !strings.Contains(err.Error(), "chatml") {
		t.Errorf("no template: %v", err)
	}
	for _, jinja := range []string{"{{ messages }}", "[gMASK]<sop><|assistant|><|user|>", "<|im_start|><end_of_utterance>"} {
		tok := mustNew(t, bpeMeta(t, map[string]any{keyTemplate: jinja}))
		if _, err := tok.Template(); err == nil || !strings.Contains(err.Error(), keyTemplate) || !strings.Contains(err.Error(), "llama3") {
			t.Errorf("%s: %v", jinja, err)
		}
		if _, err := tok.TemplateByName("nonesuch"); err == nil || !strings.Contains(err.Error(), `"nonesuch"`) {
			t.Errorf("by an unknown name: %v", err)
		}
	}
}

// TestTemplateOfFile recognises the templates in real vocabularies.
func TestTemplateOfFile(t *testing.T) {
	for file, want := range map[string]string{"phi-3": "phi3", "qwen2": "chatml"} {
		tok := mustNew(t, open(t, vocabPath(t, file)))
		if !sameTemplate(tok, want) {
			t.Errorf("%s: template is not %s", file, want)
		}
	}
}
