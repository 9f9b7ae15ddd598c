package tokenizer

import (
	"fmt"
	"strings"

	"github.com/normswap/normswap/gguf"
)

// The metadata keys of a vocabulary.
const (
	keyModel     = "tokenizer.ggml.model"
	keyPre       = "tokenizer.ggml.pre"
	keyTokens    = "tokenizer.ggml.tokens"
	keyScores    = "tokenizer.ggml.scores"
	keyTypes     = "tokenizer.ggml.token_type"
	keyMerges    = "tokenizer.ggml.merges"
	keyBOS       = "tokenizer.ggml.bos_token_id"
	keyEOS       = "tokenizer.ggml.eos_token_id"
	keySEP       = "tokenizer.ggml.seperator_token_id" // spelt so
	keyUnknown   = "tokenizer.ggml.unknown_token_id"
	keyAddBOS    = "tokenizer.ggml.add_bos_token"
	keyAddEOS    = "tokenizer.ggml.add_eos_token"
	keyAddSEP    = "tokenizer.ggml.add_sep_token"
	keyPrefix    = "tokenizer.ggml.add_space_prefix"
	keySqueeze   = "tokenizer.ggml.remove_extra_whitespaces"
	keyCharsMap  = "tokenizer.ggml.precompiled_charsmap"
	keyLowercase = "tokenizer.ggml.normalizer.lowercase"
	keyStrip     = "tokenizer.ggml.normalizer.strip_accents"

	// Of files that this project makes: ids of added tokens with a flag of
	// tokenizer.json, and whether a space goes in front of the text alone, not of
	// what follows a special token.
	keyLStrip     = "normswap.tokenizer.lstrip"
	keyRStrip     = "normswap.tokenizer.rstrip"
	keySingleWord = "normswap.tokenizer.single_word"
	keyFirst      = "normswap.tokenizer.prefix_first"
	keyNormalized = "normswap.tokenizer.normalized" // they are found in the normalized text
	keyMetaspace  = "normswap.tokenizer.metaspace"  // "keep" or "split", see unigram
	keyNFKC       = "normswap.tokenizer.nmt_nfkc"   // the normalizers Nmt and NFKC come first
)

// KeyChatTemplate is the metadata key of a file's chat template.
const KeyChatTemplate = "tokenizer.chat_template"

// A tokenType is a value of tokenizer.ggml.token_type.
type tokenType uint8

const (
	typeUndefined   tokenType = 0
	typeNormal      tokenType = 1
	typeUnknown     tokenType = 2
	typeControl     tokenType = 3
	typeUserDefined tokenType = 4
	typeUnused      tokenType = 5
	typeByte        tokenType = 6
)

// special reports whether tokens of the type are found in a text by their
// name, before the text is cut into words.
func (k tokenType) special() bool {
	return k == typeControl || k == typeUserDefined || k == typeUnknown
}

// vocab is the table of tokens.
type vocab struct {
	tokens []string         // as stored in the file
	types  []tokenType      //
	text   []string         // the bytes that each token stands for
	ids    map[string]int32 // stored token to id; of duplicates the first
	bytes  [256]int32       // the token of each single byte, or -1

	// The white space before and behind these tokens is dropped.
	stripsLeft, stripsRight map[int32]bool
	singleWord              map[int32]bool // they are found between other words only
	normalized              map[int32]bool // they are found in the normalized text
}

// loadTokens reads the tokens and their types and finds the byte tokens.
func (t *Tokenizer) loadTokens(m *gguf.Meta) error {
	var err error
	if t.tokens, err = gguf.Get[[]string](m, keyTokens); err != nil {
		return err
	}
	if len(t.tokens) == 0 {
		return fmt.Errorf("%s is empty", keyTokens)
	}
	types, err := gguf.GetOr[[]int](m, keyTypes, nil)
	if err != nil {
		return err
	}
	if types != nil && len(types) != len(t.tokens) {
		return fmt.Errorf("%s has %d entries for %d tokens", keyTypes, len(types), len(t.tokens))
	}
	t.types = make([]tokenType, len(t.tokens))
	t.ids = make(map[string]int32, len(t.tokens))
	for i := range t.bytes {
		t.bytes[i] = -1
	}
	for i, token := range t.tokens {
		t.types[i] = typeNormal
		b, isByte := parseByteToken(token)
		switch {
		case types == nil:
			// SentencePiece files from before the types: the names tell.
			if isByte && t.model == "llama" {
				t.types[i] = typeByte
			}
		case int(typeUndefined) < types[i] && types[i] <= int(typeByte):
			t.types[i] = tokenType(types[i])
		}
		if t.types[i] == typeByte {
			if !isByte {
				return fmt.Errorf("%s[%d]: the byte token %.40q is not of the form <0xHH>", keyTokens, i, token)
			}
			if t.bytes[b] < 0 {
				t.bytes[b] = int32(i)
			}
		}
		if _, twice := t.ids[token]; !twice && token != "" {
			t.ids[token] = int32(i)
		}
	}
	return nil
}

// parseByteToken reads the name of a byte token, <0x00> to <0xFF>.
func parseByteToken(s string) (b byte, ok bool) {
	if len(s) != 6 || !strings.HasPrefix(s, "<0x") || s[5] != '>' {
		return 0, false
	}
	for _, c := range []byte(s[3:5]) {
		b <<= 4
		switch {
		case '0' <= c && c <= '9':
			b |= c - '0'
		case 'A' <= c && c <= 'F':
			b |= c - 'A' + 10
		case 'a' <= c && c <= 'f':
			b |= c - 'a' + 10
		default:
			return 0, false
		}
	}
	return b, true
}
