"""What the program answers: as dataclasses, which whoever asks it reads its JSON as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple


@dataclass(frozen=True)
class Looked:
    """What there is to do the proof with."""

    folder: str  # of the weights
    config: str  # name of the file that is its configuration
    bytes: int  # of all tensors
    arrays: str  # by what they are computed with
    end_tokens: Tuple[int, ...]
    running: bool  # whether the request is being answered


@dataclass(frozen=True)
class Encoding:
    """A text's tokens, with the text of each."""

    ids: Tuple[int, ...]
    pieces: Tuple[str, ...]


@dataclass(frozen=True)
class Encodings:
    """Tokens of texts and conversations; ``why_not`` where there is no tokenizer."""

    library: str
    why_not: str
    texts: Tuple[Encoding, ...]
    chats: Tuple[Encoding, ...]


@dataclass(frozen=True)
class ChoiceTold:
    """What one stream says at one place."""

    token: int  # its first choice
    logit: float  # of that
    log_sum: float  # logarithm of the sum of all exponentials: a logit less this is a log likelihood
    wanted: Tuple[float, ...]  # logits of the tokens that are asked about


@dataclass(frozen=True)
class PlaceTold:
    """What all streams say at one place of an answer."""

    choices: Dict[str, ChoiceTold]
    candidates: Tuple[int, ...]  # the reference's first choices
    exact: Tuple[float, ...]  # their logits
    rounded: Tuple[float, ...]  # the same in the rounded stream


@dataclass(frozen=True)
class Pass:
    """What came of one pass over the weights."""

    texts: Tuple[Tuple[PlaceTold, ...], ...]  # by text and place
    controls: Tuple[str, ...]  # which errors were made on purpose
    not_made: Dict[str, str]  # which could not be made, and why
    arrays: str
    seconds: float
    processor_seconds: float
    read_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class Reckoned(Pass):
    """The same with what people are shown of it."""

    pieces: Dict[str, str]  # the text of each token, by its number
    config: str  # name of the file that is the configuration
