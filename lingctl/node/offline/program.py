"""Answer a batch with vLLM's ``LLM``, in the container: no service, no port, the cards for the batch alone.

Run by the container's Python. What is behind ``--`` are the engine's own arguments, which its own parser
reads. Requests go to it some hundred at a time: within them it batches as it likes, and what came of them is
written before the next. Every answer is told as an event, those of an earlier run first.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import time
from types import ModuleType
from typing import Any, Dict, List, Mapping, Type

from lingctl.node.offline.bodies import CHAT, answer_of, refusal_of, sampling_of
from lingctl.node.offline.folder import AnswerFile, BatchEntry, read_asked, requests
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the program."""
    parser.add_argument("--folder", required=True, help="where the requests are")
    parser.add_argument("--answers", required=True, help="file that the answers go to")
    parser.add_argument("--chunk", type=int, default=256, help="requests that are given to it at a time")
    parser.add_argument("--model-name", default="", help="of the model in answers")
    parser.add_argument("words", nargs="*", help="the engine's arguments, behind --")


def run(arguments: argparse.Namespace, report: Report) -> Dict[str, object]:
    """Answer what is not answered yet.

    Raises:
        Trouble: the requests are not there, another program is at it, or the engine does not start or dies.
    """
    parts, total = read_asked(arguments.folder)
    answers = AnswerFile(arguments.answers)
    for entry in answers.earlier():
        report({"event": "answer", **entry})
    done, before = answers.numbers, len(answers.numbers)
    report({"event": "progress", "task": "batch", "done": before, "total": total})
    if before < total:
        engine = _Engine(arguments)
        asked = requests(arguments.folder, parts)
        left = (entry for entry in asked if entry["number"] not in done)
        while chunk := list(itertools.islice(left, max(1, arguments.chunk))):
            for entry in engine.answer(chunk):
                answers.add(entry)
                report({"event": "answer", **entry})
            answers.sync()
            before += len(chunk)
            report({"event": "progress", "task": "batch", "done": before, "total": total})
    return {"requests": total}


class _Engine:
    """vLLM, started."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        try:
            self._vllm = importlib.import_module("vllm")
            engine_args = importlib.import_module("vllm.engine.arg_utils").EngineArgs
            parser = _parser_module().FlexibleArgumentParser()
        except ImportError as error:
            raise Trouble(
                "there is no vLLM in the container",
                evidence=str(error),
                remedy="lingctl status shows the image; engine: vllm in hosts.yaml chooses one",
                code="offline-no-vllm",
            ) from error
        self._model = arguments.model_name
        try:
            known = engine_args.add_cli_args(parser).parse_args(arguments.words)
            self._llm = self._vllm.LLM(**vars(engine_args.from_cli_args(known)))
        except SystemExit as end:  # its parser's
            raise Trouble(
                "vLLM does not know an argument that lingctl gives it",
                evidence=" ".join(arguments.words),
                code="offline-arguments",
            ) from end
        except Exception as error:
            raise Trouble(
                f"vLLM did not start: {type(error).__name__}",
                evidence=str(error),
                remedy="its first error stands further up in what it printed",
                code="offline-start",
            ) from error
        self._defaults = self._llm.get_default_sampling_params()
        # Of a request alone; earlier versions raise ValueError for all of them.
        self._refusals = (ValueError, TypeError, _client_error())

    def answer(self, chunk: List[BatchEntry]) -> List[Dict[str, Any]]:
        """What came of requests. Raises Trouble: the engine died."""
        found: List[Dict[str, Any]] = []
        for chats in (True, False):
            found += self._answer([entry for entry in chunk if (entry["url"] == CHAT) == chats], chats)
        return found

    def _answer(self, chunk: List[BatchEntry], chats: bool) -> List[Dict[str, Any]]:
        if not chunk:
            return []
        try:
            told = [
                self._vllm.SamplingParams(**sampling_of(entry["body"], self._defaults)) for entry in chunk
            ]
            if chats:
                asked = [entry["body"]["messages"] for entry in chunk]
                outputs = self._llm.chat(asked, told, use_tqdm=False)
            else:
                asked = [entry["body"]["prompt"] for entry in chunk]
                outputs = self._llm.generate(asked, told, use_tqdm=False)
        except self._refusals as error:
            if len(chunk) == 1:
                return [_entry(chunk[0], 400, refusal_of(error))]
            # One of them is refused, and takes all with it: halves of halves tell which.
            middle = len(chunk) // 2
            return self._answer(chunk[:middle], chats) + self._answer(chunk[middle:], chats)
        except Exception as error:
            raise Trouble(
                f"vLLM died: {type(error).__name__}", evidence=str(error), code="offline-died"
            ) from error
        at = int(time.time())
        return [
            _entry(entry, 200, answer_of(entry, output, self._model, at))
            # Of earlier versions, requests before one that was refused come along: ours are the last.
            for entry, output in zip(chunk, outputs[-len(chunk) :])
        ]


def _entry(asked: BatchEntry, status: int, body: Mapping[str, Any]) -> Dict[str, Any]:
    named = {name: asked[name] for name in ("number", "custom_id", "id")}
    return {**named, "status": status, "body": body}


def _parser_module() -> ModuleType:
    """Where vLLM's own parser is, which reads dashes and JSON as ``vllm serve`` does; it moved in 0.12."""
    try:
        return importlib.import_module("vllm.utils.argparse_utils")
    except ImportError:
        return importlib.import_module("vllm.utils")


def _client_error() -> Type[Exception]:
    try:
        kind: Type[Exception] = importlib.import_module("vllm.exceptions").VLLMClientError
    except (ImportError, AttributeError):
        return ValueError
    return kind
