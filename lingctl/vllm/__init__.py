"""vLLM on Ascend cards (vllm-ascend) behind the seam: versions, rules, command line, words."""
