"""vLLM's own form of /generate: the prompt and a blank come before the answer, but not in streams."""

from __future__ import annotations

import json
from collections.abc import Iterator

from lingctl.sandbox.engine.api.forms.form import Document, Form
from lingctl.sandbox.engine.api.transcript import Frame
from lingctl.sandbox.engine.json_library import dump
from lingctl.sandbox.engine.requests.rounds import Round


class Vllm(Form):
    """A list of texts."""

    def whole(self) -> Document:
        """All sequences, the likeliest first."""
        prompt = _prompt_text(self._wish.text)
        lines = sorted(self._transcript.lines, key=lambda line: -line.likelihood)
        return {"text": [f"{prompt} {line.full}" for line in lines]}

    def frame(self, frame: Frame, silent: set[int], taken: Round) -> Iterator[str]:
        """The new texts of all sequences, and a NUL."""
        texts = []
        for index, line in enumerate(self._transcript.lines):
            moment = frame.moments.get(index)
            rest = line.full if self._service.full_text else ""
            texts.append(rest if moment is None else moment.piece)
        yield f"{dump({'text': texts})}\0"


def _prompt_text(text: str) -> str:
    """The prompt as it is repeated: of one that is JSON, the first text part."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict) and item.get("type") == "text" and isinstance(item.get("text"), str):
            return str(item["text"])
    return ""
