"""The real vLLM (its build for processors) behind the emulated vllm-ascend image."""
