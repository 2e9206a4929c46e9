"""A file on a node: written beside its place, proved there, and put in place by one command. Pure.

The content is the command's standard input, its length told beforehand. So the node itself notices when the
connection ends too early, and takes away what arrived; nothing depends on a second message from here.
"""

from __future__ import annotations

import re
import secrets
from pathlib import PurePosixPath

from lingctl.errors import NodeError
from lingctl.node.disk import Disk
from lingctl.remote.command import Command, script
from lingctl.remote.connection import Completed

_IN_PLACE = "in place"
# Everything that is sent is taken in, also after a failure: paramiko may answer the end of a command while
# the rest is still being sent, and OpenSSH then ends the whole connection (paramiko issues 1115 and 1705).
# Each process that it starts costs more than all the rest of it: where all is well there are four.
_PUT = """
export LC_ALL=C
target=$1 part=$2 mask=$3 chmod=$4 size=$5 digest=$6
folder=${target%/*} taken=
[ -n "$folder" ] || folder=/
trap '' PIPE
trap 'rm -f "$part"' EXIT
trap 'exit 129' HUP INT TERM
failed() {
  [ -n "$taken" ] || head -c "$size" >/dev/null
  rm -f "$part"
  near=$folder
  until [ -d "$near" ]; do near=$(dirname "$near"); done
  printf '%s\\n' "$1" | sed -n '$s/^/why /p'
  df -Pk "$near" 2>/dev/null | sed -n '2s/^/space /p'
  df -Pi "$near" 2>/dev/null | sed -n '2s/^/inodes /p'
  exit 1
}
umask 027
[ -d "$folder" ] || said=$(mkdir -p "$folder" 2>&1) || failed "$said"
for old in "${part%.*.part}."*.part; do
  if [ -e "$old" ]; then find "$old" -prune -mmin +60 -exec rm -f {} + 2>/dev/null; fi
done
# Its mode is right before its first byte is.
umask "$mask"
said=$({ set -C; : >"$part"; } 2>&1) || failed "$said"
exec 3>"$part"
[ -z "$chmod" ] || said=$(chmod "$chmod" "$part" 2>&1) || failed "$said"
taken=yes
write() {
  dd bs=65536 conv=notrunc,fsync 2>&1 >&3
  status=$?
  [ "$status" = 0 ] || cat >/dev/null
  return "$status"
}
said=$(head -c "$size" | write) || case $said in
  *fsync*"Invalid argument"*) ;;  # a file system that cannot
  *) failed "$(printf '%s\\n' "$said" | sed -n '/^dd/p')" ;;
esac
exec 3>&-
sum=$(sha256sum <"$part" 2>&1)
if [ "${sum%% *}" != "$digest" ]; then
  has=$(wc -c <"$part")
  [ "$has" -eq "$size" ] || failed "only $has of $size bytes arrived"
  failed "what is on the disk is not what was sent: SHA-256 ${sum%% *}"
fi
said=$(mv -fT "$part" "$target" 2>&1) || failed "$said"
echo "in place"
trap - EXIT
"""
_FULL = re.compile("No space left on device|quota exceeded", re.IGNORECASE)


def put_command(path: str, *, mode: int, size: int, digest: str) -> Command:
    """What takes ``size`` bytes of standard input and makes them the file ``path``, or leaves all as it was.

    Args:
        path: the file; folders above it that are missing are made (0750).
        mode: permission bits, right before the first byte is written.
        size: bytes that will be sent.
        digest: their SHA-256 in hexadecimal.
    """
    target = PurePosixPath(path)
    # A name of its own: two that write the same file at a time do not meet. An old one is of a dead machine.
    part = f"{target.parent}/.{target.name}.{secrets.token_hex(4)}.part"
    # As it is made, a file can have no bit to be run by, and must have the one to be written by.
    mask, made = ~mode & 0o577, mode & 0o666 | 0o200
    chmod = "" if made == mode else f"{mode:o}"
    return script(_PUT, path, part, f"{mask:o}", chmod, size, digest, title=f"write {path}")


def check_put(done: Completed, path: str, node: str) -> None:
    """Believe that the file is in place only when its node says so.

    Raises:
        NodeError: it is not; names the disk and what to do.
    """
    if done.ok and done.stdout.strip() == _IN_PLACE:
        return
    why = next((line[4:] for line in done.stdout.splitlines() if line.startswith("why ")), "")
    raise write_error(
        path, why or done.last_words() or f"exit status {done.exit_status}", _disk(done.stdout), node
    )


def write_error(path: str, why: str, disk: Disk | None, node: str) -> NodeError:
    """The error of a file that could not be written.

    Args:
        path: the file.
        why: the operating system's words.
        disk: of its folder, if that is known.
        node: where.
    """
    folder = str(PurePosixPath(path).parent)
    full, short, look = _FULL.search(why), _short(why), "df -h"
    if full:
        name = f"the disk of {disk.mount}" if disk else "its disk"
        short = f"{name} is full"
        if "quota" in full[0].lower():
            short = f"the quota on {name} is used up"
        elif disk and disk.has_no_inode:
            short, look = f"{name} has no inode left", "df -i"
        remedy = f"make room there ({look} {disk.mount if disk else folder}), then run the same command again"
    else:
        remedy = f"look at free space and permissions: df -h {folder}; ls -ld {folder}"
    return NodeError(
        f"cannot write {path}: {short}",
        where=node,
        evidence="\n".join([why, *(disk.lines if disk else ())]),
        remedy=f"{remedy}; an earlier file of that name is as it was",
        code="disk-full" if full else "write-failed",
    )


def _disk(text: str) -> Disk | None:
    """What df said of the folder: ``space`` and ``inodes``, each before a line of ``df -P``."""
    said = {words[0]: words[1:] for line in text.splitlines() if len(words := line.split()) > 6}
    try:
        name, size, _, free, _, *mount = said["space"]
        disk = Disk(name, " ".join(mount), int(size), int(free))
    except (LookupError, ValueError):
        return None
    try:
        return disk._replace(inodes=int(said["inodes"][1]), free_inodes=int(said["inodes"][3]))
    except (LookupError, ValueError):  # a file system without a count
        return disk


def _short(why: str) -> str:
    """The last part of ``sh: 1: cannot create /x/y: Permission denied``."""
    return why.rsplit(": ", 1)[-1] if ": " in why and not why.startswith("what is on") else why
