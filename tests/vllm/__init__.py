"""The real vLLM in the sandbox (`make vllm`). `make test` leaves it out: a start takes half a minute."""
