#!/bin/sh
# Files from standard input, one after the other, all put in place when all have arrived.
# $1 bytes of all files, $2 their parts as quoted words; then of each file its path, part, mask, mode (where a
# new file cannot have it), size and digest.
#
# Everything that is sent is taken in, also after a failure: paramiko may answer the end of a command while
# the rest is still being sent, and OpenSSH then ends the whole connection (paramiko issues 1115 and 1705).
# Each process that is started costs more than all the rest: where all is well there are two for each file and
# two more.
export LC_ALL=C
total=$1 parts=$2
shift 2
discard() { eval "rm -f $parts"; }
trap '' PIPE
trap discard EXIT
trap 'exit 129' HUP INT TERM
failed() {
  near=${1%/*}
  near=${near:-/}
  discard
  until [ -d "$near" ]; do near=$(dirname "$near"); done
  echo "file $number"
  printf '%s\n' "$2" | sed -n '$s/^/why /p'
  df -Pk "$near" 2>/dev/null | sed -n '2s/^/space /p'
  df -Pi "$near" 2>/dev/null | sed -n '2s/^/inodes /p'
  exit 1
}
make() {
  number=0
  while [ $# -gt 0 ]; do
    folder=${1%/*}
    umask 027
    [ -d "${folder:-/}" ] || said=$(mkdir -p "$folder" 2>&1) || failed "$1" "$said"
    for old in "${2%.*.part}."*.part; do
      if [ -e "$old" ]; then find "$old" -prune -mmin +60 -exec rm -f {} + 2>/dev/null; fi
    done
    # It may be read by no more than it should be before its first byte is there.
    umask "$3"
    said=$({ set -C; : >"$2"; } 2>&1) || failed "$1" "$said"
    number=$((number + 1))
    shift 6
  done
}
fill() {
  number=0
  while [ $# -gt 0 ]; do
    said=$(dd of="$2" bs=65536 count="$5" iflag=count_bytes,fullblock conv=notrunc,fsync 2>&1) ||
      case $said in
        *fsync*"Invalid argument"*) ;;  # a file system that cannot
        *) failed "$1" "$(printf '%s\n' "$said" | sed -n '/^dd/p')" ;;
      esac
    number=$((number + 1))
    shift 6
  done
}
prove() {
  number=0
  while [ $# -gt 0 ]; do
    read -r sum _ || sum=unknown
    if [ "${sum#\\}" != "$6" ]; then
      has=$(wc -c <"$2")
      [ "$has" -eq "$5" ] || failed "$1" "only $has of $5 bytes arrived"
      failed "$1" "what is on the disk is not what was sent: SHA-256 $sum"
    fi
    number=$((number + 1))
    shift 6
  done
}
place() {
  number=0
  while [ $# -gt 0 ]; do
    [ -z "$4" ] || said=$(chmod "$4" "$2" 2>&1) || failed "$1" "$said"
    said=$(mv -fT "$2" "$1" 2>&1) || failed "$1" "$said"
    echo "in place"
    number=$((number + 1))
    shift 6
  done
}
head -c "$total" | {
  (make "$@" && fill "$@")
  status=$?
  [ "$status" = 0 ] || cat >/dev/null
  exit "$status"
} || exit 1
eval "sha256sum $parts" | prove "$@" || exit 1
place "$@"
trap - EXIT
