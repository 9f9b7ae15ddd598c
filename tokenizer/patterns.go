package tokenizer

// The split patterns of the models, from their tokenizer.json files. Which
// name stands for which pattern is llama.cpp's table (src/llama-vocab.cpp),
// since llama.cpp's converter gives the names.
const (
	contractions = `(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])`
	letters      = `[^\r\n\p{L}\p{N}]?\p{L}+` // and what stands before them
	symbols      = ` ?[^\s\p{L}\p{N}]+[\r\n]*`
	whiteSpace   = `\s*[\r\n]+|\s+(?!\S)|\s+`
	upper        = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
	lower        = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
	capitalised  = `[^\r\n\p{L}\p{N}]?` + upper + `*` + lower + `+`
	capitals     = `[^\r\n\p{L}\p{N}]?` + upper + `+` + lower + `*`

	patGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	patLlama3 = contractions + `|` + letters + `|\p{N}{1,3}|` + symbols + `|` + whiteSpace
	patQwen2  = contractions + `|` + letters + `|\p{N}|` + symbols + `|` + whiteSpace
	patQwen35 = contractions + `|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|` + whiteSpace
	patTekken = capitalised + `|` + capitals + `|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|` + whiteSpace
	patGPT4o  = capitalised + contractions + `?|` + capitals + contractions + `?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|` + whiteSpace

	patDeepSeek3 = `[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_\x60{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|` +
		` ?[\p{P}\p{S}]+[\r\n]*|` + whiteSpace
	patSeedCoder   = contractions + `|` + letters + `|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|` + whiteSpace
	patNumber      = `\p{N}`
	patNumbers     = `\p{N}+`
	patNumber3     = `\p{N}{1,3}`
	patThreeDigits = `[0-9][0-9][0-9]`
	patLineEnd     = `[\r\n]`
	patTrailing    = `\s+\z`
	patFalcon      = "[\\p{P}\\$\\+<=>\\^~\\|`]+"
	patDefault     = `[\p{P}\$\+<=>\^~\|]+`
	patLetters     = `\s?\p{L}+`
	patPunctuation = `\s?\p{P}+`
	patKana        = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
	patCJK         = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
	patBloom       = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
	patMarks       = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"

	// patCased is the letters with case as of the Unicode version that
	// DeepSeek LLM was trained with.
	patCased = "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af" +
		"\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5" +
		"\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba" +
		"\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45" +
		"\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-" +
		"\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107" +
		"\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f" +
		"\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d" +
		"\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17" +
		"\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb" +
		"\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]+"
)
