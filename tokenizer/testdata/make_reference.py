#!/usr/bin/env python3
"""Makes bpe.gguf, plain.gguf and reference.json beside it.

    make_reference.py REFERENCE

REFERENCE is reference.c, built against llama.cpp. bpe.gguf is a byte-level
BPE vocabulary made by hand: the 256 bytes, and a merge for every two characters
of a small alphabet, so that where a text is cut shows in its ids. plain.gguf is
the same with pieces of plain text.
reference.json holds llama.cpp's ids of many texts, under this vocabulary with
every pre-tokenizer, and under the SentencePiece vocabulary of
tests/testdata/trained/stories260K-F32.gguf, each also with changed metadata.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
STORIES = os.path.join(HERE, "..", "..", "tests", "testdata", "trained", "stories260K-F32.gguf")

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def read_metadata(path):
    """The key-value pairs of a GGUF file: key -> (kind, value); arrays have kind (ARRAY, element)."""
    with open(path, "rb") as f:
        def number(fmt):
            return struct.unpack("<" + fmt, f.read(struct.calcsize("<" + fmt)))[0]

        def value(kind):
            if kind == STRING:
                return f.read(number("Q"))
            return number(FORMATS[kind])

        assert f.read(4) == b"GGUF"
        number("I"), number("Q")
        pairs = {}
        for _ in range(number("Q")):
            key, kind = value(STRING).decode(), number("I")
            if kind == ARRAY:
                element, n = number("I"), number("Q")
                pairs[key] = ((ARRAY, element), [value(element) for _ in range(n)])
            else:
                pairs[key] = (kind, value(kind))
        return pairs


def write_metadata(path, pairs):
    """A GGUF file without tensors."""
    out = bytearray(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)))

    def value(kind, v):
        nonlocal out
        if kind == STRING:
            out += struct.pack("<Q", len(v)) + v
        else:
            out += struct.pack("<" + FORMATS[kind], v)

    for key, (kind, v) in pairs.items():
        value(STRING, key.encode())
        if isinstance(kind, tuple):
            out += struct.pack("<IIQ", ARRAY, kind[1], len(v))
            for x in v:
                value(kind[1], x)
        else:
            out += struct.pack("<I", kind)
            value(kind, v)
    with open(path, "wb") as f:
        f.write(out)


def changed(pairs, change):
    """A copy of pairs with {"set": {key: value}, "append": [[token, type], ...]} applied."""
    pairs = dict(pairs)
    for key, v in change.get("set", {}).items():
        if isinstance(v, bool):
            pairs[key] = (BOOL, v)
        elif isinstance(v, int):
            pairs[key] = (UINT32, v)
        else:
            pairs[key] = (STRING, v.encode())
    for token, kind in change.get("append", []):
        for key, v in (("tokens", token.encode()), ("token_type", kind), ("scores", -1000.0)):
            key = "tokenizer.ggml." + key
            if key in pairs:
                pairs[key] = (pairs[key][0], pairs[key][1] + [v])
    return pairs


def byte_alphabet():
    """GPT-2's spelling of each byte as a printable character."""
    printable = list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(0x100 + i) for i, b in enumerate(others)}


def make_bpe():
    alphabet = byte_alphabet()
    spell = lambda text: "".join(alphabet[b] for b in text.encode())
    tokens = [alphabet[b] for b in range(256)]
    merges = []

    def merge(left, right):
        if left + right not in tokens:
            tokens.append(left + right)
            merges.append(left + " " + right)

    # The bytes of a character first, then every pair of characters.
    some = list("aesTr0179 .,!'-\n\r\té²Ж中か") + ["\u3000", "\u00a0", "\u0301"]
    for c in some:
        s = [alphabet[b] for b in c.encode()]
        for i in range(1, len(s)):
            merge("".join(s[:i]), s[i])
    for a in some:
        for b in some:
            merge(spell(a), spell(b))
    # Some longer ones, and a step ("th") that is no token itself.
    for left, right in (("Ġt", "he"), ("Ġ", "the"), ("t", "h"), ("th", "e"), ("h", "e"), ("ar", "e"), ("ĠĠ", "ĠĠ"), ("00", "0"), ("ĠT", "he"), ("ĉĉ", "ĉĉ"), ("ĉĉĉĉ", "ĉĉ")):
        merge(left, right)
    tokens.remove("th")
    # Special tokens, one of which begins another.
    special = [("<|endoftext|>", 3), ("<|im_start|>", 3), ("<|im_end|>", 3), ("<tool>", 4), ("<tool><call>", 4), ("     ", 4), ("[UNK]", 2), ("<|end|>", 1)]
    types = [1] * len(tokens) + [kind for _, kind in special]
    tokens += [token for token, _ in special]
    end = tokens.index("<|endoftext|>")
    return {
        "general.architecture": (STRING, b"llama"),
        "tokenizer.ggml.model": (STRING, b"gpt2"),
        "tokenizer.ggml.pre": (STRING, b"gpt-2"),
        "tokenizer.ggml.tokens": ((ARRAY, STRING), [t.encode() for t in tokens]),
        "tokenizer.ggml.token_type": ((ARRAY, INT32), types),
        "tokenizer.ggml.merges": ((ARRAY, STRING), [m.encode() for m in merges]),
        "tokenizer.ggml.bos_token_id": (UINT32, end),
        "tokenizer.ggml.eos_token_id": (UINT32, end),
    }


def make_plain():
    """A vocabulary of BPE over plain text, as Gemma 4 has it: a space is U+2581, and bytes are tokens of their own."""
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    types = [2, 3, 3] + [6] * 256
    merges = []
    some = list("aesTr0179.,!'-\té²Ж中か▁")
    tokens += some + ["\n", "\n\n", "\n\n\n"]

    def merge(left, right):
        if left + right not in tokens:
            tokens.append(left + right)
            merges.append(left + " " + right)

    for a in some:
        for b in some:
            merge(a, b)
    merge("▁t", "he")
    merge("▁▁", "▁▁")
    merge("a", "re")
    merge("a", "▁a")
    types += [1] * (len(tokens) - len(types))
    tokens += ["<|turn>", "<tool>"]
    types += [3, 4]
    return {
        "general.architecture": (STRING, b"llama"),
        "tokenizer.ggml.model": (STRING, b"gpt2"),
        "tokenizer.ggml.pre": (STRING, b"gemma4"),
        "tokenizer.ggml.tokens": ((ARRAY, STRING), [t.encode() for t in tokens]),
        "tokenizer.ggml.token_type": ((ARRAY, INT32), types),
        "tokenizer.ggml.merges": ((ARRAY, STRING), [m.encode() for m in merges]),
        "tokenizer.ggml.bos_token_id": (UINT32, 1),
        "tokenizer.ggml.eos_token_id": (UINT32, 2),
    }


TEXTS = [
    "",
    " ",
    "a",
    "Hello, world!",
    "  two spaces, and the end has three   ",
    "The rest are here; they aren't, I'm sure, and we'll see. You've said it's theirs. He'd stare.",
    "DON'T SHOUT: IT'S LATE, WE'RE TIRED, I'VE SEEN 'EM. 'Tis 'twas 'S 'll 'LL 'rE",
    "'s 't 're 've 'm 'll 'd 'x ' '' ''s",
    "one\ntwo\n\nthree\n\n\nfour\r\nfive\r\n\r\nsix\n",
    "tab\tand\t\ttwo \t mixed  \n  indented\n\tcode { return a[0]; }\n\n",
    "   \n \n\n  \t\n x",
    "0 1 12 123 1234 12345 1234567 0.5 1,000,000 -17 a1b22c333 9a99",
    "!!! ... ?! -- --> <- == != (a) [b] {c} $5 +7 ^ ~ | `x` a.b.c e@a.rs #tag 50% \\n /* c */ // end",
    "! ! !\n!!\n.\n\n. a",
    "éte ÉTÉ naïve Straße ſ's 'ſ ĳ ǅ ʰa",
    "e\u0301te\u0301 a\u0301\u0301 \u0301",
    "Жук жужжит. ПРИВЕТ, мир 7",
    "中文字符，没有空格。12中34かな カタカナ 한국어 텍스트",
    "ก็ไม่มีช่องว่าง भाषा العربية، ١٢٣ ۔ עברית",
    "² ½ Ⅳ ⅻ 一二三 ①② ٣٤ 1² a²b",
    "\u00a0a\u00a0\u00a0b \u3000c\u3000 \u2003d\u2028e\u0085f\u200b g",
    "😀 smile 👩‍👩‍👧 flags 🇫🇷🇩🇪 ✅✔ ™ © ←→ ∑∏ €£¥",
    "<|im_start|>user\nare<|im_end|>\n<|endoftext|>",
    "<tool> <tool><call>x</tool> a<tool>a [UNK] <|end|> <s> </s> <unk> <0x41>",
    "the      rest       at a distance     .",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "rarestresterraseTreaseTearTeaseatesTa" * 4,
    "A sentence. Another one! \"Quoted,\" she said, 'and quoted.' (Bracketed.) Ends; here: now…",
    "http://www.example.org/a/b?c=d&e=1.0#f user_name camelCaseWord HTTPServer snake_case_word3 kebab-case",
    "func main() {\n\tfmt.Println(\"are\", 10)\n}\n",
    "\x00\x01\x7f a\u0080b",
    "".join("\t" * n + "x" for n in (2, 3, 4, 5, 7, 8, 20)) + "\t" * 9,
    "▁ a▁b ▁▁",
    "\U0010fffd\ufffd\ue000\u0378",
    "।देवनागरी۔ a،b、c。d…e (a|b)\\s",
]

PRE = """default gpt-2 phi-2 mpt olmo jais gigachat a.x-4.0 mellum exaone4 trillion granite-docling llama3 llama-v3
llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 dbrx smaug-bpe glm4 chatglm-bpe qwen2 stablelm2 deepseek-r1-qwen
kormo f2llmv2 megrez hunyuan solar-open grok-2 qwen35 falcon starcoder refact command-r smollm codeshell exaone
minerva-7b mellum2 deepseek-llm deepseek-coder deepseek-v3 hunyuan-dense joyai-llm hy_v4 bloom poro-chat
gpt3-finnish viking tekken gpt-4o llama4 kanana2 talkie minimax-m2 seed-coder bailingmoe bailingmoe2
llada-moe jina-es jina-de jina-v2-es jina-v2-de modern-bert jina-v1-en jina-v2-code roberta-bpe jina-v5-nano jais-2
minicpm5 ufakzeka laguna exaone-moe spark2_5 afmoe granite-embed-multi-97m tiny_aya cohere2moe youtu kimi-k2 superbpe
chameleon""".split()

# Pre-tokenizers of vocabularies whose pieces are plain text.
PLAIN = ["gemma4", "granite-embed-multi-311m", "sarvam-moe"]

SPECIAL = [["<|user|>", 4], ["<|end|>", 3], ["<|assistant|>", 3], ["<|endoftext|>", 3], ["\n\n\n", 4]]
ENDS = [["<EOT>", 1], ["<|eom_id|>", 4], ["<fim_pad>", 3], ["<|file_sep|>", 3], ["<fim_prefix>", 4], ["<|channel|>", 3], ["<reponame>", 4],
        ["<unused7>", 3], ["<|return|>", 3], ["<|call|>", 3]]


def main():
    tool = sys.argv[1]
    bases = {"bpe.gguf": make_bpe(), "plain.gguf": make_plain(), "stories260K": read_metadata(STORIES)}
    for base in ("bpe.gguf", "plain.gguf"):
        write_metadata(os.path.join(HERE, base), bases[base])
    jobs = [("bpe.gguf", {"set": {"tokenizer.ggml.pre": name}}, [False]) for name in PRE]
    jobs += [("plain.gguf", {"set": {"tokenizer.ggml.pre": name}}, [False]) for name in PLAIN]
    jobs += [
        ("bpe.gguf", {}, [True]),
        ("plain.gguf", {}, [False, True]),
        ("plain.gguf", {"set": {"tokenizer.ggml.model": "gemma4"}}, [True]),
        ("plain.gguf", {"set": {"tokenizer.ggml.model": "whitespace", "tokenizer.ggml.pre": "whitespace"}}, [False]),
        ("plain.gguf", {"set": {"tokenizer.ggml.model": "whitespace", "tokenizer.ggml.pre": "whitespace",
                                "tokenizer.ggml.normalizer.lowercase": True}}, [True]),
        ("bpe.gguf", {"set": {"tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_eos_token": True}}, [True]),
        ("bpe.gguf", {"set": {"tokenizer.ggml.pre": "llama-bpe"}}, [True]),
        ("bpe.gguf", {"set": {"tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.add_bos_token": False}}, [True]),
        ("bpe.gguf", {"append": ENDS}, [True]),
        ("bpe.gguf", {"append": ENDS[:-2], "set": {"tokenizer.ggml.eos_token_id": 65, "tokenizer.ggml.eot_token_id": 66,
                                                   "tokenizer.ggml.fim_pad_token_id": 67}}, [True]),
        ("bpe.gguf", {"append": ENDS + [["</s>", 3], ["<|tool_response>", 3]]}, [True]),
        ("stories260K", {}, [False, True]),
        ("stories260K", {"set": {"tokenizer.ggml.add_space_prefix": False, "tokenizer.ggml.add_eos_token": True}}, [False, True]),
        ("stories260K", {"append": SPECIAL}, [False, True]),
        ("stories260K", {"append": SPECIAL, "set": {"general.name": "Phi-3 mini"}}, [False, True]),
    ]
    texts = TEXTS + ["<|user|>\n a <|end|>  \n<|assistant|> b\n\n\n c</s>  d<s>  e", "Once upon a time, there was a little girl."]
    groups = []
    with tempfile.TemporaryDirectory() as tmp:
        for base, change, specials in jobs:
            path = os.path.join(tmp, "vocab.gguf")
            write_metadata(path, changed(bases[base], change))
            for special in specials:
                stdin = b"".join(struct.pack("<III", special, special, len(t.encode())) + t.encode() for t in texts)
                run = subprocess.run([tool, path], input=stdin, stdout=subprocess.PIPE, check=True)
                facts, pieces, *lines = run.stdout.decode().split("\n")[:-1]
                assert len(lines) == len(texts)
                bos, eos, add_bos, add_eos, *eog = [int(i) for i in facts.split()]
                facts = {"bos": bos, "eos": eos, "add_bos": bool(add_bos), "add_eos": bool(add_eos), "eog": eog}
                if not change:
                    facts["pieces"] = pieces.split(" ")[:-1]
                ids = [[int(i) for i in l.split()] for l in lines]
                same = [g for g in groups if list(change.get("set", {})) == ["tokenizer.ggml.pre"] and not special and g["ids"] == ids]
                if same:  # another name of the same pre-tokenizer
                    same[0]["aliases"].append(change["set"]["tokenizer.ggml.pre"])
                else:
                    groups.append({"base": base, **change, "special": special, "aliases": [], **facts, "ids": ids})
    how = "llama.cpp v0.5.0 (llama_tokenize), by make_reference.py; special: add_special and parse_special are both on"
    with open(os.path.join(HERE, "reference.json"), "w") as f:
        f.write('{"how": ' + json.dumps(how) + ',\n"texts": ' + json.dumps(texts) + ',\n"groups": [\n')
        f.write(",\n".join(json.dumps(g, separators=(",", ":")) for g in groups) + "\n]}\n")


main()
