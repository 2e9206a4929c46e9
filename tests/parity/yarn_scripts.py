"""The two sides of test_long_context.py: each is a script for an environment of its own.

Standard input is a JSON object; the last line of standard output is what it found.
"""

TRANSFORMERS = """
import json, sys, torch
from transformers import AutoConfig, AutoModelForCausalLM

asked = json.load(sys.stdin)
torch.set_num_threads(2)
config = AutoConfig.from_pretrained(asked["model"], trust_remote_code=True)
config.rope_scaling = asked["rope_scaling"]
model = AutoModelForCausalLM.from_pretrained(
    asked["model"], config=config, trust_remote_code=True, torch_dtype=torch.float32
).eval()
best = []
for tokens in asked["prompts"]:
    with torch.no_grad():
        best.append(model(torch.tensor([tokens])).logits[0].argmax(-1).tolist()[:-1])
print(json.dumps(best))
"""

VLLM = """
import json, os, sys

os.environ.update(
    HF_HUB_OFFLINE="1", VLLM_NO_USAGE_STATS="1", DO_NOT_TRACK="1", VLLM_HOST_IP="127.0.0.1",
    GLOO_SOCKET_IFNAME="lo", VLLM_CPU_OMP_THREADS_BIND="nobind", OMP_NUM_THREADS="2",
    VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_LOGGING_LEVEL="ERROR",
)
if __name__ == "__main__":
    asked = json.load(sys.stdin)
    from vllm import LLM, SamplingParams
    from vllm.inputs import TokensPrompt

    llm = LLM(
        model=asked["model"], dtype="float32", trust_remote_code=True, enforce_eager=True,
        max_model_len=asked["max_model_len"], hf_overrides=asked["overrides"], max_num_seqs=4,
        kv_cache_memory_bytes=64 << 20,
    )
    prompts = [TokensPrompt(prompt_token_ids=tokens) for tokens in asked["prompts"]]
    found = llm.generate(
        prompts, SamplingParams(temperature=0, max_tokens=1, prompt_logprobs=1), use_tqdm=False
    )
    best = [
        [max(place, key=lambda token: place[token].logprob) for place in one.prompt_logprobs[1:]]
        for one in found
    ]
    print(json.dumps(best))
"""
