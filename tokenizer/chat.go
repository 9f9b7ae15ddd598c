package tokenizer

import "github.com/normswap/normswap/gguf"

// loadTemplates reads the chat templates of the file.
func (t *Tokenizer) loadTemplates(m *gguf.Meta) error {
	t.templates = make(map[string]string)
	for name, key := range map[string]string{"": KeyChatTemplate, "tool_use": KeyChatTemplate + ".tool_use"} {
		source, err := gguf.GetOr(m, key, "")
		if err != nil {
			return err
		}
		t.templates[name] = source
	}
	return nil
}

// ChatTemplate is the program of the file that lays a conversation out, or the
// name of a known one; empty: there is none. Package chat runs it. By the name
// "tool_use" some files have a second one for conversations with tools.
func (t *Tokenizer) ChatTemplate(name string) string { return t.templates[name] }
