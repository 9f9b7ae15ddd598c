package chat_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/chat"
)

// conversation is that of llama.cpp's tests/test-chat-template.cpp, and the
// texts wanted below are what llama.cpp's llama_chat_apply_template (v0.5.0)
// makes of it.
var conversation = []chat.Message{
	{"system", "You are a helpful assistant"},
	{"user", "Hello"},
	{"assistant", "Hi there"},
	{"user", "Who are you"},
	{"assistant", "   I am an assistant   "},
	{"user", "Another question"},
}

// chatCases has for each template the conversation laid out.
var chatCases = []struct{ name, want string }{
	{"chatml",
		"<|im_start|>system\nYou are a helpful assistant<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi there<|im_end|>\n" +
			"<|im_start|>user\nWho are you<|im_end|>\n<|im_start|>assistant\n   I am an assistant   <|im_end|>\n" +
			"<|im_start|>user\nAnother question<|im_end|>\n<|im_start|>assistant\n"},
	{"phi4",
		"<|im_start|>system<|im_sep|>You are a helpful assistant<|im_end|><|im_start|>user<|im_sep|>Hello<|im_end|>" +
			"<|im_start|>assistant<|im_sep|>Hi there<|im_end|><|im_start|>user<|im_sep|>Who are you<|im_end|>" +
			"<|im_start|>assistant<|im_sep|>   I am an assistant   <|im_end|><|im_start|>user<|im_sep|>Another question<|im_end|>" +
			"<|im_start|>assistant<|im_sep|>"},
	{"llama2",
		"[INST] You are a helpful assistant\nHello [/INST]Hi there</s>[INST] Who are you [/INST]   I am an assistant   </s>" +
			"[INST] Another question [/INST]"},
	{"llama2-sys",
		"[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST]Hi there</s>[INST] Who are you [/INST]" +
			"   I am an assistant   </s>[INST] Another question [/INST]"},
	{"llama2-sys-bos",
		"[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST]Hi there</s><s>[INST] Who are you [/INST]" +
			"   I am an assistant   </s><s>[INST] Another question [/INST]"},
	{"llama2-sys-strip",
		"[INST] <<SYS>>\nYou are a helpful assistant\n<</SYS>>\n\nHello [/INST]Hi there</s>[INST] Who are you [/INST]" +
			"I am an assistant</s>[INST] Another question [/INST]"},
	{"mistral-v1",
		" [INST] You are a helpful assistant\n\nHello [/INST] Hi there</s> [INST] Who are you [/INST]    I am an assistant   </s>" +
			" [INST] Another question [/INST]"},
	{"mistral-v3",
		"[INST] You are a helpful assistant\n\nHello[/INST] Hi there</s>[INST] Who are you[/INST] I am an assistant</s>" +
			"[INST] Another question[/INST]"},
	{"mistral-v3-tekken",
		"[INST]You are a helpful assistant\n\nHello[/INST]Hi there</s>[INST]Who are you[/INST]   I am an assistant   </s>" +
			"[INST]Another question[/INST]"},
	{"mistral-v7",
		"[SYSTEM_PROMPT] You are a helpful assistant[/SYSTEM_PROMPT][INST] Hello[/INST] Hi there</s>[INST] Who are you[/INST]" +
			"    I am an assistant   </s>[INST] Another question[/INST]"},
	{"phi3",
		"<|system|>\nYou are a helpful assistant<|end|>\n<|user|>\nHello<|end|>\n<|assistant|>\nHi there<|end|>\n" +
			"<|user|>\nWho are you<|end|>\n<|assistant|>\n   I am an assistant   <|end|>\n<|user|>\nAnother question<|end|>\n<|assistant|>\n"},
	{"zephyr",
		"<|system|>\nYou are a helpful assistant<|endoftext|>\n<|user|>\nHello<|endoftext|>\n<|assistant|>\nHi there<|endoftext|>\n" +
			"<|user|>\nWho are you<|endoftext|>\n<|assistant|>\n   I am an assistant   <|endoftext|>\n" +
			"<|user|>\nAnother question<|endoftext|>\n<|assistant|>\n"},
	{"falcon3",
		"<|system|>\nYou are a helpful assistant\n<|user|>\nHello\n<|assistant|>\nHi there\n<|user|>\nWho are you\n" +
			"<|assistant|>\n   I am an assistant   \n<|user|>\nAnother question\n<|assistant|>\n"},
	{"gemma",
		"<start_of_turn>user\nYou are a helpful assistant\n\nHello<end_of_turn>\n<start_of_turn>model\nHi there<end_of_turn>\n" +
			"<start_of_turn>user\nWho are you<end_of_turn>\n<start_of_turn>model\nI am an assistant<end_of_turn>\n" +
			"<start_of_turn>user\nAnother question<end_of_turn>\n<start_of_turn>model\n"},
	{"orion",
		"Human: You are a helpful assistant\n\nHello\n\nAssistant: </s>Hi there</s>Human: Who are you\n\nAssistant: </s>" +
			"   I am an assistant   </s>Human: Another question\n\nAssistant: </s>"},
	{"openchat",
		"You are a helpful assistant<|end_of_turn|>GPT4 Correct User: Hello<|end_of_turn|>GPT4 Correct Assistant: Hi there<|end_of_turn|>" +
			"GPT4 Correct User: Who are you<|end_of_turn|>GPT4 Correct Assistant:    I am an assistant   <|end_of_turn|>" +
			"GPT4 Correct User: Another question<|end_of_turn|>GPT4 Correct Assistant:"},
	{"vicuna",
		"You are a helpful assistant\n\nUSER: Hello\nASSISTANT: Hi there</s>\nUSER: Who are you\nASSISTANT:    I am an assistant   </s>\n" +
			"USER: Another question\nASSISTANT:"},
	{"vicuna-orca",
		"SYSTEM: You are a helpful assistant\nUSER: Hello\nASSISTANT: Hi there</s>\nUSER: Who are you\n" +
			"ASSISTANT:    I am an assistant   </s>\nUSER: Another question\nASSISTANT:"},
	{"deepseek-coder",
		"You are a helpful assistant### Instruction:\nHello\n### Response:\nHi there\n<|EOT|>\n### Instruction:\nWho are you\n" +
			"### Response:\n   I am an assistant   \n<|EOT|>\n### Instruction:\nAnother question\n### Response:\n"},
	{"command-r",
		"<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>You are a helpful assistant<|END_OF_TURN_TOKEN|>" +
			"<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hello<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Hi there<|END_OF_TURN_TOKEN|>" +
			"<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Who are you<|END_OF_TURN_TOKEN|>" +
			"<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>I am an assistant<|END_OF_TURN_TOKEN|>" +
			"<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Another question<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"},
	{"llama3",
		"<|start_header_id|>system<|end_header_id|>\n\nYou are a helpful assistant<|eot_id|>" +
			"<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHi there<|eot_id|>" +
			"<|start_header_id|>user<|end_header_id|>\n\nWho are you<|eot_id|>" +
			"<|start_header_id|>assistant<|end_header_id|>\n\nI am an assistant<|eot_id|>" +
			"<|start_header_id|>user<|end_header_id|>\n\nAnother question<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
	{"llama4",
		"<|header_start|>system<|header_end|>\n\nYou are a helpful assistant<|eot|><|header_start|>user<|header_end|>\n\nHello<|eot|>" +
			"<|header_start|>assistant<|header_end|>\n\nHi there<|eot|><|header_start|>user<|header_end|>\n\nWho are you<|eot|>" +
			"<|header_start|>assistant<|header_end|>\n\nI am an assistant<|eot|><|header_start|>user<|header_end|>\n\nAnother question<|eot|>" +
			"<|header_start|>assistant<|header_end|>\n\n"},
	{"deepseek2",
		"You are a helpful assistant\n\nUser: Hello\n\nAssistant: Hi there<｜end▁of▁sentence｜>User: Who are you\n\n" +
			"Assistant:    I am an assistant   <｜end▁of▁sentence｜>User: Another question\n\nAssistant:"},
	{"deepseek3",
		"You are a helpful assistant\n\n<｜User｜>Hello<｜Assistant｜>Hi there<｜end▁of▁sentence｜><｜User｜>Who are you" +
			"<｜Assistant｜>   I am an assistant   <｜end▁of▁sentence｜><｜User｜>Another question<｜Assistant｜>"},
}

func TestNamed(t *testing.T) {
	var tested []string
	for _, c := range chatCases {
		t.Run(c.name, func(t *testing.T) {
			tmpl, err := chat.Named(c.name)
			if err != nil {
				t.Fatal(err)
			}
			if tmpl.Name() != c.name {
				t.Errorf("Name is %s", tmpl.Name())
			}
			got := rendered(t, tmpl, variables(t, "eos_token", "<|endoftext|>", conversation...))
			if got != c.want {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
			// Without the assistant's next turn the text is a beginning of it.
			if c.name == "zephyr" {
				return // needs eos_token
			}
			short := rendered(t, tmpl, variables(t, "add_generation_prompt", false, conversation...))
			if !strings.HasPrefix(got, short) {
				t.Errorf("without generation prompt: %q", short)
			}
		})
		tested = append(tested, c.name)
	}
	slices.Sort(tested)
	if !slices.Equal(tested, chat.Names()) {
		t.Errorf("tested %v, there are %v", tested, chat.Names())
	}
	if _, err := chat.Named("nonesuch"); err == nil || !strings.Contains(err.Error(), `"nonesuch"`) || !strings.Contains(err.Error(), "llama3") {
		t.Errorf("by an unknown name: %v", err)
	}
}
