"""Many questions in one script: a node is asked once, and each answer keeps its own streams and status.

The script is plain POSIX sh. Each question runs by itself, one after the other (hccn_tool must not run
twice at a time on one node), with its own time limit and nothing on its standard input. Answers are
framed with a mark that no tool prints; what a login banner printed before the first frame is passed over,
and an answer counts only if the last frame arrived too. Where there is no room for one, the script ends.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lingctl.remote.command import Command, script

TIMED_OUT = 124
_MARK = "\x1e"
_END = "lingctl-end"
# Three answers of hccn_tool say "not now": the tool is busy, its lock is held, or the device is occupied.
# Every process that the script starts counts a hundred times: it uses what the shell itself can do.
_ASK = """\
export LC_ALL=C
PATH=$PATH:/usr/local/Ascend/driver/tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin
export PATH
trap 'rm -rf "$d"' EXIT
# A tool does not tell that its answer was cut short by a full disk: after each there has to be room for more.
room() { printf '%8192s' x >"$d/room" && : >"$d/room"; } 2>/dev/null
for place in "${TMPDIR:-/tmp}" /dev/shm; do
  d=$(mktemp -d -p "$place" 2>/dev/null) && room && break
  rm -rf "$d"
  d=
done
[ -n "$d" ] || { echo "no room for answers in ${TMPDIR:-/tmp} and /dev/shm" >&2; exit 1; }
mark=$(printf '\\036')
ask() {
  case " $hung " in *" $4 "*) return;; esac
  for pause in 0.3 1 2 0; do
    timeout "$2" sh -c "$3" >"$d/out" 2>"$d/err" </dev/null
    status=$?
    room || { printf '%s%s\\n' "$mark" no-room; echo "no room for answers in $d" >&2; exit 1; }
    [ "$status" = 0 ] && break
    out= err=
    read -r out <"$d/out"
    read -r err <"$d/err"
    case "$out $err" in
      *"hccn_tool is busy"*|*"Get lock failed"*|*"The device is occupied"*) ;;
      *) break;;
    esac
    [ "$pause" = 0 ] || sleep "$pause"
  done
  [ "$status" = 124 ] && [ "$4" != - ] && hung="$hung $4"
  printf '%s%s %s\\n' "$mark" "$1" "$status"
  [ -s "$d/out" ] && base64 <"$d/out"
  printf '%s\\n' "$mark"
  [ -s "$d/err" ] && base64 <"$d/err"
}
hung=
while [ $# -ge 4 ]; do
  ask "$1" "$2" "$3" "$4"
  shift 4
done
printf '%s%s\\n' "$mark" lingctl-end
"""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask a node.

    Attributes:
        id: name of the answer; without blanks.
        command: what to run.
        timeout: seconds; passing it is an answer of its own.
        group: once a question of a group has passed its time limit, the rest of the group is not asked and
            has no answer: a card that does not become ready would block every one of them.
    """

    id: str
    command: Command
    timeout: float = 10.0
    group: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command said.

    Attributes:
        stdout: as text, undecodable bytes replaced.
        stderr: likewise.
        exit_status: of the command; 124 when its time limit passed.
    """

    stdout: str
    stderr: str
    exit_status: int

    @property
    def timed_out(self) -> bool:
        """Whether its time limit passed."""
        return self.exit_status == TIMED_OUT


class Answers(Mapping[str, Answer]):
    """The answers by question id.

    Attributes:
        complete: whether the script ran to its end; what is missing then is unknown, not absent.
    """

    def __init__(self, answers: Mapping[str, Answer], complete: bool) -> None:
        self._answers = dict(answers)
        self.complete = complete

    def __getitem__(self, question: str) -> Answer:
        return self._answers[question]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)


def probe_script(questions: Sequence[Question], title: str = "ask the node") -> Command:
    """One script that asks all questions in their order."""
    arguments: list[str] = []
    for question in questions:
        arguments += [question.id, f"{question.timeout:g}", question.command.text, question.group or "-"]
    return script(_ASK, *arguments, title=title)


def probe_timeout(questions: Sequence[Question]) -> float:
    """Seconds that the script may take at the very most."""
    return 30 + sum(question.timeout for question in questions)


def read_answers(stdout: str) -> Answers:
    """The answers in a script's output."""
    _, *frames = stdout.split(_MARK)
    answers: dict[str, Answer] = {}
    complete = False
    for index, frame in enumerate(frames):
        head, _, body = frame.partition("\n")
        if head.strip() == _END:
            complete = True
        # Both streams are whole only when something came after them.
        elif head and index + 2 < len(frames):
            answer = _answer(head.split(), body, frames[index + 1])
            if answer:
                answers[head.split()[0]] = answer
    return Answers(answers, complete)


def _answer(head: list[str], out: str, err: str) -> Answer | None:
    try:
        _, status = head
        return Answer(_decoded(out), _decoded(err), int(status))
    except ValueError:
        return None


def _decoded(text: str) -> str:
    return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
