"""Continuous batching on the master."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from lingctl.sandbox.engine.model.bfloat16 import Floats
from lingctl.sandbox.engine.model.model import Cache, Model
from lingctl.sandbox.engine.model.sampling import Choice, Sampler, Sampling
from lingctl.sandbox.engine.nodes.framing import LinkLost, send_json
from lingctl.sandbox.engine.nodes.world import Group


class EngineLost(Exception):
    """A node of the world is gone; nothing can be generated any more."""


class StepFailed(Exception):
    """The model could not make a step of this sequence; others go on."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a sequence."""

    choice: Choice
    # ``eos`` or ``length`` with the last token. The end token is one of the answer's tokens, and an answer
    # that ends at its limit with the end token ends by ``length`` (MindIE-LLM v3.0.0
    # text_generator/utils/output_filter.py).
    finish: str = ""


@dataclass
class Request:
    """One request in the engine."""

    prompt: list[int]
    limit: int
    sampling: Sampling
    ignore_eos: bool = False
    # tokens as they come, to the one with a finish reason, or what went wrong
    out: queue.Queue[Token | EngineLost | StepFailed] = field(default_factory=queue.Queue)
    cancelled: bool = False
    answer: list[int] = field(default_factory=list)
    number: int = -1


class Scheduler:
    """Runs requests together, a prefill of the newcomers and a decode step of the rest in turns.

    Args:
        model: this node's share.
        group: collectives over the nodes.
        control: sockets to the slaves.
        columns: vocabulary columns of every node, the master's first, then in the group's order.
        limits: most sequences at once, most prompt tokens and most prompts of one prefill step.
        on_lost: called once when a node is gone.
    """

    def __init__(
        self,
        model: Model,
        group: Group,
        control: Sequence[socket.socket],
        columns: Sequence[Sequence[int]],
        limits: tuple[int, int, int],
        on_lost: Callable[[], None],
    ) -> None:
        self._model, self._group, self._control = model, group, list(control)
        self._columns = [np.asarray(part, dtype=np.int64) for part in columns]
        self.max_batch, self._max_prefill, self._prefill_batch = limits
        self._on_lost = on_lost
        self._waiting: queue.Queue[Request] = queue.Queue()
        self._held: Request | None = None
        self._running: list[Request] = []
        self._caches: dict[int, Cache] = {}
        self._admitted: dict[int, Request] = {}
        self._freed: list[int] = []
        self._numbers = 0
        self.lost = False
        threading.Thread(target=self._loop, name="engine", daemon=True).start()

    @property
    def running(self) -> int:
        """Sequences in the batch."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._waiting.qsize()

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return self._model.shape.vocabulary

    def submit(self, prompt: list[int], limit: int, sampling: Sampling, ignore_eos: bool = False) -> Request:
        """Queue a request, of at least one token and none beyond the vocabulary.

        Raises:
            EngineLost: the world is broken.
        """
        if self.lost:
            raise EngineLost
        sequence = Request(list(prompt), limit, sampling, ignore_eos)
        self._waiting.put(sequence)
        return sequence

    def _loop(self) -> None:
        samplers: dict[int, Sampler] = {}
        while True:
            try:
                fresh = self._admit(block=not self._running)
                if fresh:
                    for sequence in fresh:
                        samplers[sequence.number] = Sampler(sequence.sampling)
                    self._step([(s, s.prompt) for s in fresh], samplers)
                if self._running:
                    self._step([(s, s.answer[-1:]) for s in self._running], samplers)
            except LinkLost:
                self._break()
                return

    def _admit(self, *, block: bool) -> list[Request]:
        fresh: list[Request] = []
        budget = self._max_prefill
        while len(fresh) < self._prefill_batch and len(self._running) + len(fresh) < self.max_batch:
            sequence = self._held or self._next(block=block and not fresh)
            self._held = None
            if sequence is None:
                break
            if fresh and len(sequence.prompt) > budget:
                self._held = sequence
                break
            budget -= len(sequence.prompt)
            sequence.number = self._numbers
            self._numbers += 1
            self._caches[sequence.number] = Cache()
            self._admitted[sequence.number] = sequence
            fresh.append(sequence)
        return fresh

    def _next(self, *, block: bool) -> Request | None:
        try:
            return self._waiting.get(block=block)
        except queue.Empty:
            return None

    def _step(self, batch: list[tuple[Request, list[int]]], samplers: dict[int, Sampler]) -> None:
        done = [s for s, _ in batch if s.cancelled]
        batch = [(s, tokens) for s, tokens in batch if not s.cancelled]
        if batch:
            work = [(s.number, tokens) for s, tokens in batch]
            for link in self._control:
                send_json(link, {"step": work, "free": self._freed})
            self._freed = []
            logits = self._logits([(tokens, self._caches[number]) for number, tokens in work])
            for (sequence, _), row in zip(batch, logits, strict=True):
                sampler = samplers[sequence.number]
                try:
                    choice = sampler.choose(row, sequence.prompt + sequence.answer, sequence.answer)
                except (ArithmeticError, ValueError, IndexError) as error:
                    sequence.out.put(StepFailed(str(error)))
                    done.append(sequence)
                    continue
                if self._finished(sequence, choice):
                    done.append(sequence)
                elif sequence not in self._running:
                    self._running.append(sequence)
        for sequence in done:
            if sequence in self._running:
                self._running.remove(sequence)
            self._caches.pop(sequence.number, None)
            self._admitted.pop(sequence.number, None)
            self._freed.append(sequence.number)
            samplers.pop(sequence.number, None)

    def _finished(self, sequence: Request, choice: Choice) -> bool:
        sequence.answer.append(choice.token)
        finish = ""
        if choice.token in self._model.shape.eos and not sequence.ignore_eos:
            finish = "eos"
        if len(sequence.answer) >= sequence.limit:
            finish = "length"
        sequence.out.put(Token(choice, finish))
        return bool(finish)

    def _logits(self, batch: list[tuple[list[int], Cache]]) -> Floats:
        own = self._model.forward(batch)
        parts = self._group.gather(own, [len(part) for part in self._columns[1:]])
        logits = np.empty((len(batch), self._model.shape.vocabulary), dtype=np.float32)
        for columns, part in zip(self._columns, parts, strict=True):
            logits[:, columns] = part
        return logits

    def _break(self) -> None:
        self.lost = True
        self._on_lost()
        for sequence in self._admitted.values():
            sequence.out.put(EngineLost())
        while True:
            waiting = self._held or self._next(block=False)
            self._held = None
            if waiting is None:
                return
            waiting.out.put(EngineLost())
