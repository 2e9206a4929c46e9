"""What is gathered of a node when something went wrong, and what is taken out of it. Pure.

The folder of a node is laid out as Ascend's own fault diagnosis reads it (``ascend-fd parse -i FOLDER``):
CANN's logs in ``process_log``, MindIE's in ``mindie/log/debug``, the console as ``worker-N.log``, the
kernel's messages as ``dmesg``, the cards' state in ``environment_check``, the cards' own logs in
``device_log``. Source: the log collection chapter of the MindCluster documentation.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib

from lingctl.mindie.profile import Profile
from lingctl.release.site import Site
from lingctl.remote.command import Command
from lingctl.remote.runtime import runtime_script

# The largest file that ascend-fd reads, and a bound for what one node sends.
_MOST_OF_A_FILE = "20480k"
_MOST_FILES = 600
# A log of 20 MB that was compressed is rarely longer, and it is searched in memory.
_MOST_UNPACKED = 100_000_000
GZIP = b"\x1f\x8b"
# How other compressed files begin; a secret in one could not be seen.
_COMPRESSED = {
    GZIP: "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
}
_GATHER = r"""
umask 077
cluster=$1 name=$2 rank=$3 most=$4 files=$5 mindie=$6
d=$(mktemp -d 2>/dev/null || mktemp -d -p /dev/shm) || exit 1
trap 'rm -rf "$d"' EXIT
cd "$d" || exit 1
mkdir -p lingctl process_log mindie/log/debug environment_check device_log atb_log
said() {
  out=$1
  shift
  { echo "\$ $*"; timeout 60 "$@"; echo "exit status $?"; echo; } >>"$out" 2>&1 </dev/null
}
end_of() { [ -r "$1" ] && tail -c "$2" "$1" >"$3"; }

cp -r "$cluster/release" lingctl/ 2>/dev/null
cp "$cluster"/audit.log* lingctl/ 2>/dev/null
for file in daemon.pid daemon.exit started last-started; do
  cp "$cluster/run/$file" lingctl/ 2>/dev/null
done
end_of "$cluster/run/console.log" 20000000 "worker-$rank.log"
end_of "$cluster/run/console.log.1" 5000000 lingctl/console-before.log
ls -lR "$cluster" >lingctl/files.txt 2>&1
for record in "$cluster"/releases/*.json; do head -n 1 "$record"; done >lingctl/releases.txt 2>/dev/null
for job in "$cluster"/jobs/*/; do
  [ -d "$job" ] || continue
  mkdir -p lingctl/jobs
  end_of "$job/out" 200000 "lingctl/jobs/$(basename "$job").out"
  end_of "$job/err" 200000 "lingctl/jobs/$(basename "$job").err"
done

said lingctl/runtime.txt "$runtime" version
said lingctl/runtime.txt "$runtime" ps -a
said lingctl/container.json "$runtime" inspect "$name"
said lingctl/container-log.txt "$runtime" logs --tail 2000 "$name"

# In the container, running or not: the newest files of moderate size.
take() {
  "$runtime" exec "$name" sh -c '
    cd "$1" 2>/dev/null || exit 1
    most=$2 files=$3
    find . -type f -size "-$most" | head -n "$files" | tar -cf - -T -' sh "$1" "$most" "$files" 2>/dev/null |
    tar -xf - -C "$2" --no-same-owner 2>/dev/null ||
  "$runtime" cp "$name:$1/." - 2>/dev/null | tar -xf - -C "$2" --no-same-owner 2>/dev/null
}
take /root/ascend/log process_log
take /root/atb/log atb_log
for place in $mindie; do take "$place" mindie/log/debug; done

dmesg -T 2>/dev/null | tail -n 100000 >dmesg || dmesg 2>/dev/null | tail -n 100000 >dmesg
for file in /var/log/messages /var/log/syslog; do end_of "$file" 5000000 messages; done
if cd /var/log/npu 2>/dev/null; then
  find slog -type f -size "-$most" -mtime -2 2>/dev/null | head -n "$files" | tar -cf - -T - 2>/dev/null |
    tar -xf - -C "$d/device_log" 2>/dev/null
  cd "$d" || exit 1
fi

said environment_check/npu_info_after.txt npu-smi info
said environment_check/npu_info_after.txt npu-smi info -m
said environment_check/npu_info_after.txt npu-smi info -t topo
shift 6
for card; do
  for what in health ecc usages; do
    said environment_check/npu_info_after.txt npu-smi info -t "$what" -i "$card"
  done
  for what in link net_health ip gateway tls stat; do
    said environment_check/npu_info_after.txt hccn_tool -i "$card" "-$what" -g
  done
done
said lingctl/host.txt uname -a
said lingctl/host.txt date
said lingctl/host.txt uptime
said lingctl/host.txt free -m
said lingctl/host.txt df -h
said lingctl/host.txt ss -ltnp
said lingctl/host.txt ps -eo pid,ppid,stat,etime,rss,args
end_of /usr/local/Ascend/driver/version.info 100000 lingctl/driver.txt
find . -type d -empty -delete
tar -czf - .
"""
_NAME = r"[\w.-]*(?:PASSW(?:OR)?D|TOKEN|SECRET|API_?KEY|ACCESS_?KEY|CREDENTIAL|AUTH)[\w.-]*"
_SECRETS = (
    re.compile(r"(?i)(\bauthorization[\"']?\s*[:=]\s*[\"']?\w+\s+)([^\s\"']+)"),
    re.compile(r"(?i)(\bbearer\s+)([A-Za-z0-9._~+/=-]{8,})"),
    # NAME=value, NAME: value, "NAME": "value"
    re.compile(rf"""(?i)(["']?\b{_NAME}["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;"']+)"""),
    re.compile(r"([a-z][a-z0-9+.-]*://[^\s/:@]+:)([^\s/@]+)(?=@)"),
    re.compile(r"(?i)((?:--|-)(?:password|token|secret|api-key)[= ])(\S+)"),
)
_KEY_BLOCK = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
REMOVED = "[removed]"
# Words that look like a secret's name and are none: what they say is needed to understand a failure.
_PLAIN = re.compile(
    r"(?i)^(?:max|min|num|pad|eos|bos|unk|sep|cls|mask|total|e2e|per|first|next|input|output|prefill)"
)


def gather_command(site: Site, node: str, profile: Profile) -> Command:
    """Write a gzipped tar of everything that may explain a failure to standard output; changes nothing."""
    return runtime_script(
        site.runtime,
        _GATHER,
        str(site.layout.root),
        site.container,
        site.first_rank(node),
        _MOST_OF_A_FILE,
        _MOST_FILES,
        " ".join(profile.log_places),
        *site.cards[node],
        title="gather the evidence",
    )


def unpacked(content: bytes) -> bytes:
    """What a file says, so that it can be searched for secrets: as it is, or out of its gzip.

    Raises:
        ValueError: it cannot be searched; the message says why.
    """
    if content.startswith(GZIP):
        try:
            with gzip.open(io.BytesIO(content)) as file:
                content = file.read(_MOST_UNPACKED + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"its gzip is not whole: {error}") from error
        if len(content) > _MOST_UNPACKED:
            raise ValueError(f"it is longer than {_MOST_UNPACKED // 1_000_000} MB when unpacked")
    # In a tar the removal of a secret would move all that follows.
    kind = (
        "tar"
        if content[257:262] == b"ustar"
        else next((word for start, word in _COMPRESSED.items() if content.startswith(start)), None)
    )
    if kind:
        raise ValueError(f"it holds a {kind}, which is not searched for secrets")
    return content


def without_secrets(content: bytes) -> bytes:
    """A text with the values of secrets taken out. Values of tokens in the sense of language models stay."""
    content = _KEY_BLOCK.sub(f"-----{REMOVED}-----".encode(), content)
    text = content.decode("utf-8", "surrogateescape")
    for pattern in _SECRETS:
        text = pattern.sub(_removed, text)
    return text.encode("utf-8", "surrogateescape")


def _removed(found: re.Match[str]) -> str:
    name = found[1].strip(" \"'=:")
    number_of_tokens = "token" in name.lower() and found[2].strip("\"'").isdigit()
    if _PLAIN.match(name) or number_of_tokens:
        return found[0]
    quote = found[2][0] if found[2][0] in "\"'" else ""
    return f"{found[1]}{quote}{REMOVED}{quote}"
