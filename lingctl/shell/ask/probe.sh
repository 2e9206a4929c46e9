#!/bin/sh
# Ask many questions, one after the other, each with its own time limit and nothing on its standard input.
# $1 lingctl/node/asker.py; then of each question: id, seconds, command, group ("-" for none), and "beside" or "-"
export LC_ALL=C
PATH=$PATH:/usr/local/Ascend/driver/tools:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin
export PATH
asker=$1
shift
# By the system's own Python, which is no script that looks for one. What ends in another way had begun.
for python in /usr/bin/python3 python3; do
  command -v "$python" >/dev/null || continue
  "$python" -ISBc "$asker" "$@"
  status=$?
  case $status in 1|2|40|126|127) ;; *) exit "$status";; esac
done
# There is no Python that could: the same, with some processes for each question, and none beside another.
# Three answers of hccn_tool say "not now": the tool is busy, its lock is held, or the device is occupied.
trap 'rm -rf "$d"' EXIT
# A tool does not tell that its answer was cut short by a full disk: after each there has to be room for more.
room() { printf '%8192s' x >"$d/room" && : >"$d/room"; } 2>/dev/null
for place in "${TMPDIR:-/tmp}" /dev/shm; do
  d=$(mktemp -d -p "$place" 2>/dev/null) && room && break
  rm -rf "$d"
  d=
done
[ -n "$d" ] || { echo "no room for answers in ${TMPDIR:-/tmp} and /dev/shm" >&2; exit 1; }
mark=$(printf '\036')
ask() {
  case " $hung " in *" $4 "*) return;; esac
  for pause in 0.3 1 2 0; do
    read -r begun _ </proc/uptime
    # One that does not heed the request to end is ended by force, which reads as 137 and not 124.
    timeout -k 5 "$2" sh -c "$3" >"$d/out" 2>"$d/err" </dev/null
    status=$?
    read -r ended _ </proc/uptime
    [ "$status" = 137 ] && [ $((${ended%.*} - ${begun%.*})) -ge "${2%.*}" ] && status=124
    room || { printf '%s%s\n' "$mark" no-room; echo "no room for answers in $d" >&2; exit 1; }
    [ "$status" = 0 ] && break
    out='' err=''
    read -r out <"$d/out"
    read -r err <"$d/err"
    case "$out $err" in
      *"hccn_tool is busy"*|*"Get lock failed"*|*"The device is occupied"*) ;;
      *) break;;
    esac
    [ "$pause" = 0 ] || sleep "$pause"
  done
  [ "$status" = 124 ] && [ "$4" != - ] && hung="$hung $4"
  printf '%s%s %s\n' "$mark" "$1" "$status"
  [ -s "$d/out" ] && base64 <"$d/out"
  printf '%s\n' "$mark"
  [ -s "$d/err" ] && base64 <"$d/err"
}
hung=
while [ $# -ge 5 ]; do
  ask "$1" "$2" "$3" "$4"
  shift 5
done
printf '%s%s\n' "$mark" lingctl-end
