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
	patSpark = `[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_\x60{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|` +
		` ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+`
	patJais2 = contractions + `|` + letters + `|\p{N}{1,3}|` + symbols + `|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|` +
		`\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s`
	patMiniCPM5  = contractions + `|` + letters + `|\p{N}+|` + symbols + `|` + whiteSpace
	patUfakzeka  = letters + `|\p{N}|` + symbols + `|` + whiteSpace
	patEXAONEMoE = contractions + `|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+`
	patYoutu     = capitalised + contractions + `?|` + capitals + contractions + `?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|` + whiteSpace
	patYoutuCJK  = "[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+|" +
		"[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"

	// Kimi K2 keeps Han characters out of its words.
	patKimi = `\p{Han}+|[^\r\n\p{L}\p{N}]?` + upperNoHan + `*` + lowerNoHan + `+` + contractions + `?|` +
		`[^\r\n\p{L}\p{N}]?` + upperNoHan + `+` + lowerNoHan + `*` + contractions + `?|` +
		`\p{N}{1,3}|` + symbols + `|` + whiteSpace
	upperNoHan = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}-[\p{Han}]]`
	lowerNoHan = `[\p{Ll}\p{Lm}\p{Lo}\p{M}-[\p{Han}]]`

	patSentinel  = `<sentinel:[0-9]+>`
	patImage     = `(?:IMGIMG)(?:A|B|C|D|E|F|G|H|I){1,4}Z`
	patIndent    = `(?:[\t\n]|    |  )`
	patEachMark  = "[\\p{P}!-/:-@\\[-`{-~]"
	patLineFeeds = `[^\n]+|[\n]+`
	patNoSpace   = `\S+`
	patAsian     = "[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e40-\u0e7f\u0e80-\u0eff" +
		"\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+"

	// Digits in groups of three, counted from the end of the number.
	patThreesNumber = `\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))`
	patThreesWord   = `\d{1,3}(?=(?:\d{3})*\b)`
	patThreesCut    = `(?=(\d{3})+(?!\d))`

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

// The patterns that llama.cpp has in place of some of these, for Options.
const (
	// It has no classes of case beyond ASCII, and its tekken and gpt-4o have no
	// marks.
	llamaUpper  = `[\p{L}-[a-z]]`
	llamaLower  = `[\p{L}-[A-Z]]`
	llamaUpperM = `[\p{L}\p{M}-[a-z]]`
	llamaLowerM = `[\p{L}\p{M}-[A-Z]]`
	before      = `[^\r\n\p{L}\p{N}]?`
	afterCased  = ` ?[^\s\p{L}\p{N}]+[\r\n/]*|` + whiteSpace

	llamaTekken  = before + llamaUpper + `*` + llamaLower + `+|` + before + llamaUpper + `+` + llamaLower + `*|\p{N}|` + afterCased
	llamaGPT4o   = before + llamaUpper + `*` + llamaLower + `+` + contractions + `?|` + before + llamaUpper + `+` + llamaLower + `*` + contractions + `?|\p{N}{1,3}|` + afterCased
	llamaGranite = before + llamaUpperM + `*` + llamaLowerM + `+` + contractions + `?|` + before + llamaUpperM + `+` + llamaLowerM + `*` + contractions + `?|\p{N}{1,3}|` + afterCased
	llamaTinyAya = before + `[\p{L}\p{M}]+` + contractions + `?|\p{N}{1,3}|` + afterCased
	llamaYoutu   = before + `[\p{L}\p{M}]+` + contractions + `?|\p{N}|` + afterCased

	// Its classes of East Asian characters have no white space.
	llamaMarks = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002-[\\s]]+"
	llamaCJK   = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff-[\\s]]+"
	llamaAsian = "[\u4e00-\u9fff\u3400-\u4dbf\u8c48-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e40-\u0e7f\u0e80-\u0eff" +
		"\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+"

	llamaHan    = "\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002ebef\uf900-\ufaff\U0002f800-\U0002fa1f"
	llamaKimi   = `[` + llamaHan + `]+|` + before + `[\p{L}-[` + llamaHan + `]]+` + contractions + `?|\p{N}{1,3}|` + symbols + `|` + whiteSpace
	llamaThrees = `\P{N}*\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))` // what stands before a number joins its first group

	// Its \d is ASCII here.
	llamaThreesCut = `(?=([0-9]{3})+(?![0-9]))`
)
