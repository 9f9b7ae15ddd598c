package hf

import (
	"github.com/normswap/normswap/gguf"
)

func readTokenizer(dir string, c *config, m *gguf.Meta) error { return nil }
