package main

import "github.com/spf13/pflag"

// otherCommands say what is typed here for commands of llama.cpp and Ollama.
var otherCommands = map[string]string{
	"run":    "infer MODEL.gguf",
	"cli":    "infer MODEL.gguf",
	"show":   "infer inspect MODEL.gguf",
	"ls":     "infer list",
	"create": "infer fold MODEL.gguf -o FILE.gguf writes a folded file",
}

// otherFlags say the same of llama.cpp's flags.
var otherFlags = map[string]string{
	"m":            "the model needs no flag: infer MODEL.gguf",
	"model":        "the model needs no flag: infer MODEL.gguf",
	"c":            "--ctx",
	"ctx-size":     "--ctx",
	"s":            "--seed",
	"ngl":          "infer runs on the CPU",
	"n-gpu-layers": "infer runs on the CPU",
	"gpu-layers":   "infer runs on the CPU",
	"n-predict":    "--tokens",
	"version":      "infer version",
	"norms":        "--norm",
	"output":       "--out",
	"o":            "--format, or > FILE",
}

// otherFlag returns the answer to a flag of another program, or "". -ngl is read
// as -n with the value "gl".
func otherFlag(unknown *pflag.NotExistError, invalid *pflag.InvalidValueError) (flag, answer string) {
	switch {
	case unknown != nil && unknown.GetSpecifiedShortnames() != "":
		name := unknown.GetSpecifiedName()
		return "-" + name, otherFlags[name]
	case unknown != nil:
		name := unknown.GetSpecifiedName()
		return "--" + name, otherFlags[name]
	case invalid != nil && invalid.GetFlag().Shorthand == "n" && invalid.GetValue() == "gl":
		return "-ngl", otherFlags["ngl"]
	}
	return "", ""
}
