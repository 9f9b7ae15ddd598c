#!/usr/bin/env python3
"""Trains twins: two models of one shape on one text in one order, with LayerNorm and with RMSNorm.

    pip install torch transformers tokenizers
    examples/notebook/twins.py -o twins text.txt ...
    examples/notebook/make-data twins

The LayerNorm twin is a StableLM, the RMSNorm twin a Llama: blocks, positions and initial weights
are alike. Checkpoints become GGUF files by `infer convert`, which must be on the PATH. The twins of
docs/GEOMETRY.md have the default shape, and read fairy tales, 2,048 tokens a step as here. On a
processor that takes hours.
"""
import argparse
import pathlib
import subprocess
import tempfile

import torch
import transformers
from tokenizers import ByteLevelBPETokenizer


def models(o):
    shape = dict(
        vocab_size=o.vocab, hidden_size=o.dim, intermediate_size=3 * o.dim, num_hidden_layers=o.layers, num_attention_heads=o.dim // 64,
        num_key_value_heads=o.dim // 64, max_position_embeddings=o.context, tie_word_embeddings=False, bos_token_id=0, eos_token_id=0,
    )
    twins = {
        "LayerNorm": transformers.StableLmForCausalLM(transformers.StableLmConfig(partial_rotary_factor=1.0, layer_norm_eps=1e-5, **shape)),
        "RMSNorm": transformers.LlamaForCausalLM(transformers.LlamaConfig(rms_norm_eps=1e-5, **shape)),
    }
    start = twins["LayerNorm"].state_dict()
    same = {k: v for k, v in twins["RMSNorm"].state_dict().items() if k in start}
    twins["LayerNorm"].load_state_dict(same, strict=False)
    return twins


def save(model, tokenizer, path):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        subprocess.run(["infer", "convert", folder, "-o", str(path), "--force"], check=True)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("texts", nargs="+", type=pathlib.Path)
    a.add_argument("-o", "--out", type=pathlib.Path, required=True)
    a.add_argument("--steps", type=int, default=8000)
    a.add_argument("--checkpoints", type=int, nargs="*", default=[0, 100, 300, 1000, 3000])
    a.add_argument("--dim", type=int, default=256)
    a.add_argument("--layers", type=int, default=4)
    a.add_argument("--vocab", type=int, default=4096)
    a.add_argument("--context", type=int, default=256)
    a.add_argument("--batch", type=int, default=8)
    a.add_argument("--seed", type=int, default=1)
    o = a.parse_args()
    (o.out / "training").mkdir(parents=True, exist_ok=True)

    bpe = ByteLevelBPETokenizer()
    bpe.train([str(p) for p in o.texts], vocab_size=o.vocab, special_tokens=["<|endoftext|>"])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>")
    o.vocab = bpe.get_vocab_size()
    ids = torch.tensor(bpe.encode("\n".join(p.read_text(encoding="utf-8") for p in o.texts)).ids)
    if len(ids) <= o.context:
        raise SystemExit(f"the texts have {len(ids)} tokens, a window has {o.context}")

    torch.manual_seed(o.seed)
    for name, model in models(o).items():
        order = torch.Generator().manual_seed(o.seed)  # the same batches for both
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, o.steps, pct_start=min(0.1, 200 / o.steps))
        for step in range(o.steps + 1):
            if step in o.checkpoints:
                save(model, tokenizer, o.out / "training" / f"{name}-step{step:05d}.gguf")
            if step == o.steps:
                break
            starts = torch.randint(len(ids) - o.context, (o.batch,), generator=order)
            batch = torch.stack([ids[s : s + o.context] for s in starts])
            loss = model(input_ids=batch, labels=batch).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if step % 100 == 0:
                print(f"{name} step {step}: {loss.item():.3f} nats a token", flush=True)
        save(model, tokenizer, o.out / f"{name}.gguf")


if __name__ == "__main__":
    main()
