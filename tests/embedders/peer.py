"""What people embed texts with in Python, as a program that embedders (main.go) times.

    peer.py onnx FOLDER MODEL.onnx TEXTS THREADS BATCH
    peer.py torch FOLDER float32|bfloat16 TEXTS THREADS BATCH
    peer.py export FOLDER OUT           writes OUT/float32.onnx and OUT/int8.onnx

FOLDER is the model's, as transformers reads it. After a pass to warm up the program prints
the number of tokens, and then for each line on stdin embeds all texts again and prints the
seconds; with "vectors PATH" it writes the embeddings there, as float32, of length 1.
Tokenizing is part of what is timed.
"""
import os
import sys
import time

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TQDM_DISABLE="1")
import numpy as np


def unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def export(folder, out):
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModel

    class Mean(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, ids, mask):
            hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
            return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)

    os.makedirs(out, exist_ok=True)
    ids = torch.ones(2, 6, dtype=torch.long)
    model = Mean(AutoModel.from_pretrained(folder, attn_implementation="eager").eval())
    axes = {"ids": {0: "texts", 1: "tokens"}, "mask": {0: "texts", 1: "tokens"}}
    torch.onnx.export(model, (ids, ids), out + "/float32.onnx", input_names=["ids", "mask"], output_names=["mean"],
                      dynamic_axes=axes, opset_version=17, dynamo=False)
    quantize_dynamic(out + "/float32.onnx", out + "/int8.onnx", weight_type=QuantType.QInt8)


def tokenizer(folder):
    from tokenizers import Tokenizer
    t = Tokenizer.from_file(folder + "/tokenizer.json")
    t.no_padding()
    t.no_truncation()
    return t


def onnx(folder, path, threads):
    import onnxruntime
    o = onnxruntime.SessionOptions()
    o.intra_op_num_threads, o.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, o, providers=["CPUExecutionProvider"])
    t = tokenizer(folder)

    def run(texts):
        ids = [t.encode(s).ids for s in texts]
        longest = max(map(len, ids))
        a = np.zeros((len(ids), longest), np.int64)
        mask = np.zeros_like(a)
        for i, row in enumerate(ids):
            a[i, :len(row)], mask[i, :len(row)] = row, 1
        return session.run(None, {"ids": a, "mask": mask})[0]
    return run


def sentences(folder, kind, threads):
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(threads)
    model = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": getattr(torch, kind)})
    return lambda texts: model.encode(texts, batch_size=len(texts), show_progress_bar=False)


def main():
    if sys.argv[1] == "export":
        return export(*sys.argv[2:])
    kind, folder, model, texts, threads, batch = sys.argv[1:]
    texts = open(texts, encoding="utf-8").read().splitlines()
    run = {"onnx": onnx, "torch": sentences}[kind](folder, model, int(threads))
    batch = int(batch)

    def all_texts():
        return np.concatenate([np.asarray(run(texts[i:i + batch]), np.float32) for i in range(0, len(texts), batch)])

    count = tokenizer(folder)
    all_texts()
    print(sum(len(count.encode(s).ids) for s in texts), flush=True)
    for line in sys.stdin:
        command = line.split()
        start, used = time.perf_counter(), time.process_time()
        vectors = all_texts()
        seconds, used = time.perf_counter() - start, time.process_time() - used
        if command:
            unit(vectors).tofile(command[1])
        print(seconds, used, flush=True)


main()
