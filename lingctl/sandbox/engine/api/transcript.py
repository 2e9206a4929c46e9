"""An answer as it grows: its sequences, their texts, and what may be shown of a stream.

Source: MindIE-LLM v3.0.0 single_req_infer_interface_base.cpp, ProcessResponseSingle to
GetAvailableOutputCache; seen on the real 3.0.0 for single sequences, stop strings without a stream, and two
sequences without stop strings.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lingctl.sandbox.engine.model.sampling import Choice
from lingctl.sandbox.engine.model.text import Growing, Text, utf16_length
from lingctl.sandbox.engine.requests.rounds import Round
from lingctl.sandbox.engine.requests.wish import Wish

_REASONS = {
    "eos": "eos_token",
    "length": "length",
    "stop_string": "stop_sequence",
    "stop_token": "stop_sequence",
}


@dataclass
class Line:
    """One sequence."""

    growing: Growing
    choices: list[Choice] = field(default_factory=list)  # its tokens
    finish: str = ""  # why it ended, empty while it goes on
    full: str = ""  # the whole text, once it has ended
    so_far: str = ""

    @property
    def ids(self) -> list[int]:
        """Its token ids."""
        return [choice.token for choice in self.choices]

    @property
    def likelihood(self) -> float:
        """Logarithm of the likelihood of all its tokens."""
        return sum(choice.logprob for choice in self.choices)

    @property
    def reason(self) -> str:
        """Why it ended, in the words of MindIE's own paths and TGI."""
        return _REASONS[self.finish]


@dataclass
class Moment:
    """What a sequence has to show of one round."""

    ids: list[int]  # the round's token ids
    piece: str  # new text
    count: int  # tokens so far
    start: int  # place of the first token of the piece
    finish: str = ""  # why it ended with this, empty otherwise
    full: str = ""


@dataclass
class Frame:
    """A round as it is shown."""

    moments: dict[int, Moment]  # of the sequences that had a token in it
    finishes: dict[int, str]  # why each sequence of the request ended, as far as it has
    ready: dict[int, bool]  # for each moment that is still to be shown, whether it may be

    @property
    def whole(self) -> bool:
        """Whether all sequences are at their end."""
        return all(self.finishes.values())


class Transcript:
    """All sequences of one answer.

    Args:
        wish: what is wanted.
        text: the tokenizer.
        cumulative: whether each piece is all the text so far.
    """

    def __init__(self, wish: Wish, text: Text, *, cumulative: bool = False) -> None:
        self._wish, self._text, self._cumulative = wish, text, cumulative
        self.lines = [Line(Growing(text, skip_special=wish.skip_special)) for _ in range(wish.count)]
        self._held: list[Frame] = []
        self._width = max((utf16_length(stop) for stop in wish.stop or ()), default=0)

    def note(self, taken: Round) -> None:
        """Append a round."""
        for share in taken.shares:
            line = self.lines[share.sequence]
            line.choices.append(share.choice)
            line.finish = share.finish
            if share.finish:
                whole = self._text.decode(line.ids, skip_special=self._wish.skip_special)
                line.full = without_end(whole, share.cut)
                if self._wish.return_full_text:
                    line.full = f"{self._wish.text} {line.full}"

    def show(self, taken: Round) -> tuple[list[Frame], set[int]]:
        """Append a round of a stream.

        Returns:
            The frames to show now, and the sequences whose token completed no character.
        """
        self.note(taken)
        moments: dict[int, Moment] = {}
        silent: set[int] = set()
        cuts: dict[int, int] = {}
        for share in taken.shares:
            line = self.lines[share.sequence]
            piece = line.growing.add(share.choice.token, last=taken.last)
            if not piece and not taken.last:
                silent.add(share.sequence)
            if self._cumulative:
                line.so_far += piece
                piece = line.so_far
            count = len(line.choices)
            moments[share.sequence] = Moment(
                [share.choice.token], piece, count, line.growing.start, line.finish, line.full
            )
            if share.cut:
                cuts[share.sequence] = share.cut
        finishes = {number: line.finish for number, line in enumerate(self.lines)}
        frame = Frame(moments, finishes, dict.fromkeys(moments, False))
        return self._released(frame, cuts), silent

    def _released(self, frame: Frame, cuts: dict[int, int]) -> list[Frame]:
        """Hold frames back while their text may still be cut off by a stop string."""
        if not self._wish.stops:
            return [frame]
        self._held.append(frame)
        for sequence, cut in cuts.items():
            self._cut(sequence, cut)
        self._mark()
        shown: list[Frame] = []
        while self._held:
            first = self._held[0]
            if not any(ready or first.finishes[number] for number, ready in first.ready.items()):
                break
            shown.append(self._held.pop(0))
        return shown

    def _cut(self, sequence: int, cut: int) -> None:
        """Take so many units from the end of what is held; what is taken whole is never shown."""
        line = self.lines[sequence]
        for frame in reversed(self._held):
            moment = frame.moments.get(sequence)
            if moment is None:
                continue
            length = utf16_length(moment.piece)
            if cut > length:
                cut -= length
                frame.ready.pop(sequence, None)
                continue
            moment.piece = without_end(moment.piece, cut)
            moment.finish, moment.full = line.finish, line.full
            frame.finishes[sequence] = line.finish
            frame.ready[sequence] = True
            return

    def _mark(self) -> None:
        """What lies at least a stop string's length before the end may be shown."""
        for sequence in range(len(self.lines)):
            room, free = self._width, False
            for frame in reversed(self._held):
                moment = frame.moments.get(sequence)
                if moment is None or sequence not in frame.ready:
                    continue
                if free:
                    frame.ready[sequence] = True
                    continue
                room -= utf16_length(moment.piece)
                free = room <= 0
                if frame.finishes[sequence]:
                    frame.ready[sequence] = free = True


def without_end(text: str, cut: int) -> str:
    """The text without so many UTF-16 units at its end; all of it if it is shorter."""
    data = text.encode("utf-16-le", "surrogatepass")
    if not 0 < 2 * cut <= len(data):
        return text
    return data[: len(data) - 2 * cut].decode("utf-16-le", "ignore")
