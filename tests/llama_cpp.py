"""The real server of llama.cpp, with a model of a few kilobytes that always says the same sentence.

The model is made here: a token has an embedding of its own, attention and feed-forward add nothing, and
the head maps each word of the sentence to the next one, whatever else to the first. So the server's own
tokenizer, template, scheduler and streams are at work, and the answer is known.

    python -m tests.llama_cpp FOLDER "A sentence of different words ." [SETTING=VALUE...]

prints the server's address and serves until its standard input ends.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SENTENCE = "I am a very small model that was made for tests , and it can only say this one sentence ."
_SPECIAL = ["<unk>", "<s>", "</s>"]
_END = _SPECIAL.index("</s>")
_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def write_model(path: Path, sentence: str) -> None:
    """Write the model as GGUF. Words begin with a blank unless they are signs; none may stand twice."""
    import gguf
    import numpy as np

    words = [f"\u2581{word}" if word[0].isalnum() else word for word in sentence.split(" ")]
    assert len(set(words)) == len(words)
    words = [word.replace("\\n", "\n") for word in words]
    tokens = [*_SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *words]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * (1 + len(words))
    first, width = len(tokens) - len(words), (len(tokens) + 31) // 32 * 32
    head = np.zeros((len(tokens), width), np.float32)
    head[first, :first] = 1
    for at in range(first, len(tokens) - 1):
        head[at + 1, at] = 1
    head[_END, len(tokens) - 1] = 1

    file = gguf.GGUFWriter(path, "llama")
    file.add_context_length(2048)
    file.add_embedding_length(width)
    file.add_block_count(1)
    file.add_feed_forward_length(32)
    file.add_head_count(1)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(width)
    file.add_tokenizer_model("llama")
    file.add_token_list(tokens)
    file.add_token_scores([0.0] * 3 + [-1000.0] * 256 + [-10.0] + [-1.0 - at for at in range(len(words))])
    file.add_token_types(kinds)
    file.add_bos_token_id(_SPECIAL.index("<s>"))
    file.add_eos_token_id(_END)
    file.add_chat_template(_TEMPLATE)
    file.add_tensor("token_embd.weight", np.eye(len(tokens), width, dtype=np.float32))
    file.add_tensor("output.weight", 8 * head)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        file.add_tensor(f"{name}.weight", np.ones(width, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        file.add_tensor(f"blk.0.{name}.weight", np.zeros((width, width), np.float32))
    for name, shape in (("gate", (32, width)), ("up", (32, width)), ("down", (width, 32))):
        file.add_tensor(f"blk.0.ffn_{name}.weight", np.zeros(shape, np.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


@contextmanager
def llama_cpp(folder: Path, sentence: str = SENTENCE, **settings: str) -> Iterator[str]:
    """The server in a process of its own, while the block runs; yields its address."""
    words = [sys.executable, "-m", "tests.llama_cpp", str(folder), sentence]
    words += [f"{name}={value}" for name, value in settings.items()]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        try:
            told = (line for line in server.stdout if line.startswith("http"))
            yield next(told).strip()
        finally:
            server.stdin.close()
            server.wait()


def _serve(folder: Path, sentence: str, settings: list[str]) -> None:
    import xllamacpp

    model = folder / "model.gguf"
    write_model(model, sentence)
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = ["tiny"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 2048
    params.n_parallel = 4
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1
    for setting in settings:
        name, _, value = setting.partition("=")
        if name == "api_key":
            params.api_keys = [value]
        elif name == "reasoning":
            params.reasoning_format = getattr(xllamacpp.common_reasoning_format, value)
        else:
            raise SystemExit(f"no such setting: {name}")
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
