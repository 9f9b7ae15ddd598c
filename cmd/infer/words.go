package main

import (
	"strings"

	"github.com/spf13/pflag"
)

// otherCommands say what is typed here for commands of llama.cpp and Ollama.
var otherCommands = map[string]string{
	"run":      "infer MODEL, or infer chat MODEL",
	"cli":      "infer MODEL",
	"show":     "infer inspect MODEL",
	"ls":       "infer list",
	"create":   "infer fold MODEL -o FILE.gguf writes a folded file",
	"quantize": "infer convert FOLDER --type TYPE -o FILE.gguf writes a quantized file",
	"ps":       "GET /api/ps of infer serve",
	"rm":       readOnlyStores,
	"cp":       readOnlyStores,
	"push":     readOnlyStores,
	"stop":     "Ctrl-C ends infer serve",
}

// otherFlags say the same of llama.cpp's flags.
var otherFlags = map[string]string{
	"m":               noModelFlag,
	"model":           noModelFlag,
	"c":               "--ctx",
	"ctx-size":        "--ctx",
	"s":               "--seed",
	"ngl":             onCPU,
	"n-gpu-layers":    onCPU,
	"gpu-layers":      onCPU,
	"n-predict":       "--tokens",
	"predict":         "--tokens",
	"hf":              pullFirst,
	"hfr":             pullFirst,
	"hf-repo":         pullFirst,
	"cnv":             "infer chat MODEL",
	"conversation":    "infer chat MODEL",
	"no-cnv":          noChat,
	"no-conversation": noChat,
	"st":              oneAnswer,
	"single-turn":     oneAnswer,
	"sys":             "--system",
	"system-prompt":   "--system",
	"jinja":           "infer chat MODEL, which always uses the file's template",
	"md":              "--model-draft",
	"ctk":             "--kv",
	"ctv":             "--kv",
	"cache-type-k":    "--kv",
	"cache-type-v":    "--kv",
	"fa":              noTuning,
	"flash-attn":      noTuning,
	"b":               noTuning,
	"batch-size":      noTuning,
	"ub":              noTuning,
	"ubatch-size":     noTuning,
	"tb":              "--threads",
	"threads-batch":   "--threads",
	"no-mmap":         "leave it out; without --mmap the weights are read into memory",
	"lora":            "adapters are not applied; merge it into its model first",
	"mmproj":          "images and sound are not read",
	"repeat-last-n":   "--repeat-penalty, which looks at the last 64 tokens",
	"version":         "infer version",
	"norms":           "--norm",
	"output":          "--out",
	"o":               "--format, or > FILE",
}

const (
	noModelFlag    = "the model needs no flag: infer MODEL.gguf"
	onCPU          = "infer runs on the CPU"
	pullFirst      = "infer pull hf:ORG/REPO fetches a model, infer hf:ORG/REPO runs it"
	noChat         = "leave it out; infer MODEL continues a text"
	oneAnswer      = "infer MODEL --chat -p TEXT"
	noTuning       = "leave it out; infer chooses"
	readOnlyStores = "the stores are read only; infer list shows what is in them"
)

// otherFlag returns the answer to a flag of another program, or "". A flag of several
// letters behind one dash is read as the first letters' own flags: -ngl as -n with the
// value "gl".
func otherFlag(unknown *pflag.NotExistError, invalid *pflag.InvalidValueError) (flag, answer string) {
	switch {
	case unknown != nil && unknown.GetSpecifiedShortnames() != "":
		for _, name := range []string{unknown.GetSpecifiedShortnames(), unknown.GetSpecifiedName()} {
			if otherFlags[name] != "" {
				return "-" + name, otherFlags[name]
			}
		}
	case unknown != nil:
		name := unknown.GetSpecifiedName()
		return "--" + name, otherFlags[name]
	case invalid != nil && invalid.GetFlag().Shorthand != "":
		name := invalid.GetFlag().Shorthand + invalid.GetValue()
		return "-" + name, otherFlags[name]
	}
	return "", ""
}

// otherArgs returns the same for arguments that are read as flags of this program,
// and are taken for a call of help or for a file: -hf as -h -f, -fa as -f a.
func otherArgs(args []string) (flag, answer string) {
	for i, arg := range args {
		if i > 0 && (args[i-1] == "-p" || args[i-1] == "--prompt") {
			continue
		}
		switch arg {
		case "--":
			return "", ""
		case "-hf", "-hfr", "-fa":
			return arg, otherFlags[strings.TrimPrefix(arg, "-")]
		}
	}
	return "", ""
}
