"""Runtimes in Python, as programs that runtimes (main.go) times.

    peer.py ctranslate2 FOLDER THREADS PROMPT GENERATE
    peer.py openvino MODEL.gguf THREADS PROMPT GENERATE
    peer.py make OUT                    writes CTranslate2's models OUT/int8 and OUT/float32

After a pass to warm up the program prints 0, and then for each line on stdin reads a prompt of
PROMPT random tokens, generates GENERATE tokens behind it, and prints the seconds until
the first token and those from the first one to the last.
"""
import os
import random
import sys
import time

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", OPENVINO_TELEMETRY="0")


def make(out):
    """A gpt2-124M with random weights, whose tokens are called t0, t1, ..."""
    import json
    import torch
    from ctranslate2.converters import TransformersConverter
    from tokenizers import Tokenizer, models
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(out)
    end = "<|endoftext|>"
    vocabulary = {f"t{i}": i for i in range(50256)} | {end: 50256}
    Tokenizer(models.WordLevel(vocabulary, unk_token=end)).save(out + "/tokenizer.json")
    with open(out + "/tokenizer_config.json", "w") as f:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": end, "eos_token": end, "unk_token": end}, f)
    for kind in "int8", "float32":
        TransformersConverter(out).convert(f"{out}/{kind}", quantization=kind, force=True)


def ctranslate2(path, threads, prompt, generate):
    import ctranslate2
    g = ctranslate2.Generator(path, device="cpu", inter_threads=1, intra_threads=threads)

    def run():
        tokens = [f"t{random.randrange(50256)}" for _ in range(prompt)]
        times = [time.perf_counter()]

        def step(_):
            times.append(time.perf_counter())
            return False
        g.generate_batch([tokens], max_length=generate, min_length=generate, include_prompt_in_result=False, callback=step)
        return times
    return run


def openvino(path, threads, prompt, generate):
    import numpy
    import openvino
    import openvino_genai
    pipe = openvino_genai.LLMPipeline(path, "CPU", INFERENCE_NUM_THREADS=threads)
    c = openvino_genai.GenerationConfig(max_new_tokens=generate, ignore_eos=True, do_sample=False)

    def run():
        # Other tokens each time: it keeps the cache of prompts that it has read.
        ids = numpy.array([[random.randrange(1000, 40000) for _ in range(prompt)]], numpy.int64)
        start = time.perf_counter()
        m = pipe.generate(openvino.Tensor(ids), c).perf_metrics
        if m.get_num_generated_tokens() != generate:
            sys.exit(f"{m.get_num_generated_tokens()} tokens in place of {generate}")
        first = start + m.get_ttft().mean / 1e3
        return [start] + [first + i * m.get_tpot().mean / 1e3 for i in range(generate)]
    return run


def main():
    if sys.argv[1] == "make":
        return make(sys.argv[2])
    kind, path = sys.argv[1:3]
    threads, prompt, generate = map(int, sys.argv[3:])
    run = {"ctranslate2": ctranslate2, "openvino": openvino}[kind](path, threads, prompt, generate)
    run()
    print(0, flush=True)
    for _ in sys.stdin:
        times = run()
        if len(times) != generate + 1:
            sys.exit(f"{len(times) - 1} tokens in place of {generate}")
        print(times[1] - times[0], times[-1] - times[1], flush=True)


main()
