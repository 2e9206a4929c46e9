"""vLLM (vllm-ascend) behind the seam."""
