"""How the Python of a 3.0.0 worker ends with an exception: traceback, the status thread's line.

Seen on the real 3.0.0 on a CPU: a model refused, weights cut short, an exception in the warm-up. The
innermost frames, which differ with every cause, are left out.
"""

from __future__ import annotations

import re
import threading

from lingctl.sandbox.engine.console import Console

_PACKAGES = "/usr/local/lib/python3.11/site-packages"
_ROUTER = "mindie_llm/connector/request_router"
_OUTER = (
    (f"{_PACKAGES}/mindie_llm/utils/status.py", 23, "run", "super().run()"),
    ("/usr/local/lib/python3.11/threading.py", 982, "run", "self._target(*self._args, **self._kwargs)"),
    (
        f"{_PACKAGES}/{_ROUTER}/request_router.py",
        122,
        "do_inference",
        "self.initialize(execute_request.config)",
    ),
    (
        f"{_PACKAGES}/{_ROUTER}/request_router.py",
        106,
        "initialize",
        "initialize_result = self.initialize_impl(config)",
    ),
    (
        f"{_PACKAGES}/{_ROUTER}/request_router.py",
        99,
        "initialize_impl",
        "initialize_result = self.router_impl.initialize(config)",
    ),
    (
        f"{_PACKAGES}/{_ROUTER}/router_impl.py",
        224,
        "initialize",
        "self.generator = Generator(model_config={**model_config.model_config})",
    ),
)
_GENERATOR = f"{_PACKAGES}/mindie_llm/text_generator/generator.py"
_WRAPPER = f"{_PACKAGES}/mindie_llm/modeling/model_wrapper/atb/atb_model_wrapper.py"
_BUILD = ((_GENERATOR, 357, "__init__", "self.generator_backend = get_generator_backend(model_config)"),)
# By what the worker was at when it failed.
INNER = {
    "model": (*_BUILD, (_WRAPPER, 51, "__init__", "self.model_runner = ModelRunner(")),
    "weights": (*_BUILD, (_WRAPPER, 115, "__init__", "self.model_runner.load_weights()")),
    "warm-up": ((_GENERATOR, 366, "__init__", "self.warm_up()"),),
}
_NAMED = re.compile(r"[\w.]*(Error|Exception|Warning): ")


def exception_of(text: str) -> tuple[str, str]:
    """An exception's type and message out of its line; a line that names none is a RuntimeError's."""
    match = _NAMED.match(text)
    if not match:
        return "RuntimeError", text
    name, _, message = text.partition(": ")
    return name, message


def report(text: str, stage: str, process: int, console: Console) -> None:
    """What the worker leaves in the console.

    Args:
        text: the exception's last line.
        stage: a key of INNER.
    """
    name, message = exception_of(text)
    if stage == "weights":
        where = "atb_model_wrapper.py-117"
        console.python("ERROR", f"Error in load_weights: {message}", where, process)
    console.err("Traceback (most recent call last):")
    for file, line, function, code in (*_OUTER, *INNER[stage]):
        console.err(f'  File "{file}", line {line}, in {function}\n    {code}')
    console.err(f"{name}: {message}")
    kind = name.rpartition(".")[2]
    thread = f"tid={threading.get_ident()}, tname=inference"
    told = f"exception_type={kind}, exception_message={message}"
    last = f"Core thread encountered an exception: {thread}, {told}"
    console.python("ERROR", last, "status.py-34", process)
