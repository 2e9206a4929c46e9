"""What is looked for in vLLM's console.

Seen on the real 0.32.0 on a CPU; uvicorn prints the success line in every version. A node that answers no
HTTP (``--headless``) prints none.
"""

from __future__ import annotations

from lingctl.engine.logs import Console
from lingctl.engine.words.telling import telling

LOADED = "Application startup complete."
# Uvicorn's line of every request, and what the server says of those that it refuses.
_REQUESTS = r'HTTP/1\.[01]" [0-9]{3}|serving(_[a-z]+)?\.py:[0-9]+\]'
_TELLING = telling(
    "Resolved architecture",
    "Initializing a V1 LLM engine",
    "Starting to load model",
    "Loading weights took",
    "world_size=",
    "KV cache size",
    "Starting vLLM server",
    LOADED,
    "died unexpectedly",
    "shutdown triggered",
    "Shutting down",
    "signal=",
    "broadcast block",
)
VLLM_CONSOLE = Console(loaded=LOADED, loaded_elsewhere="", telling=_TELLING, requests=_REQUESTS)
