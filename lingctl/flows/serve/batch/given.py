"""What a batch is asked for, judged before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lingctl.errors import ConfigurationError, UsageError
from lingctl.events import Event, Listener
from lingctl.flows.serve.batch.state import place_of
from lingctl.node.offline.bodies import SAMPLING
from lingctl.paths import is_file, is_folder, is_there, real
from lingctl.serving.batch.requests import URLS, BatchInput, survey
from lingctl.serving.batch.retries import Retries

_FORM = (
    'a line is: {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", '
    '"body": {"messages": [{"role": "user", "content": "Who are you?"}]}}'
)
# What an answer without a service can be asked for.
OFFLINE_FIELDS = frozenset(
    {*SAMPLING, *URLS.values(), "model", "max_tokens", "max_completion_tokens", "stream", "user", "metadata"}
)
# More faults than an error shows are told one by one.
_SHOWN = 12


_USUAL = Retries()


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What is asked, and how."""

    source: Path
    output: Path
    errors: Path | None = None  # for those that are not answered; beside the output where None
    concurrency: int = 16  # requests open at a time
    retries: Retries = _USUAL
    timeout: float = 600.0  # seconds that one request may take
    any_model: bool = False  # ask the served model, whatever the lines name
    offline: bool = False  # the engine answers in its container, without a service

    @property
    def error_file(self) -> Path:
        """Where what was not answered goes."""
        return self.errors or self.output.with_name(f"{self.output.stem}.errors{self.output.suffix}")


def judged_input(options: BatchOptions, listener: Listener) -> BatchInput:
    """The input, all of whose lines can be asked.

    Raises:
        UsageError: files that cannot be.
        ConfigurationError: lines that cannot be asked, all of them told.
    """
    source, output, errors = (real(path) for path in (options.source, options.output, options.error_file))
    if not is_file(source):
        what = "is no ordinary file" if is_there(source) else "there is no such file"
        remedy = "a batch is read twice and resumed: write it to a file first"
        raise UsageError(what, where=str(options.source), remedy=remedy, code="batch-file")
    if len({source, output, errors, place_of(output)}) < 4:
        raise UsageError("input, output and errors are to be different files", code="batch-same-file")
    for path in (output, errors):
        if is_there(path) and not is_file(path):
            raise UsageError("is no ordinary file", where=str(path), code="batch-file")
        if not is_folder(path.parent):
            raise UsageError("its folder is not there", where=str(path), code="batch-file")
    try:
        given = survey(source, OFFLINE_FIELDS if options.offline else None)
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror}", where=str(options.source), code="batch-file"
        ) from error
    given = replace(given, path=options.source)
    if given.wrong:
        raise _wrong_lines(given, listener)
    if not given.requests:
        raise ConfigurationError(
            "holds no requests", where=str(options.source), remedy=_FORM, code="batch-input"
        )
    if given.unsent:
        text = f"keys beside custom_id, method, url and body are not sent: {', '.join(given.unsent)}"
        listener(Event("batch", "note", text=text))
    return given


def _wrong_lines(given: BatchInput, listener: Listener) -> ConfigurationError:
    told = [str(fault) for fault in given.faults]
    if given.wrong > len(told):
        told.append(f"and {given.wrong - len(told):,} more")
    if len(told) > _SHOWN:
        for text in told:
            listener(Event(str(given.path), "note", text=text))
    return ConfigurationError(
        f"{given.wrong:,} mistakes in {given.requests:,} requests; nothing was asked",
        where=str(given.path),
        evidence="\n".join(told),
        remedy=_FORM,
        code="batch-input",
    )


def need_models(given: BatchInput, served: Sequence[str], name: str, options: BatchOptions) -> None:
    """Refuse lines that name a model which is not served.

    Args:
        name: of the model that is asked where lines name none.

    Raises:
        ConfigurationError: there are such, and they are not to be asked whatever they name.
    """
    unknown = {one: line for one, line in given.models.items() if one not in (*served, name)}
    if not unknown or options.any_model:
        return
    told = [f"line {line}: model {one!r}" for one, line in unknown.items()]
    raise ConfigurationError(
        "lines name models that the service does not have",
        where=str(given.path),
        evidence="\n".join(told[:_SHOWN]),
        remedy=f"it has {', '.join(served)}; to ask {name} whatever the lines name: --any-model",
        code="batch-model",
    )
