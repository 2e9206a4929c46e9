#!/bin/sh
# matching PATTERN ALL: of its standard input each line that holds the pattern, behind a +. What tells when such a
# line was printed, where it does not itself, comes before it behind a -: the beginning of the last line with a
# time. With ALL the beginnings of all other lines do.
matching() {
  LINGCTL_PATTERN=$1
  export LINGCTL_PATTERN
  awk 'BEGIN { exit !("" ~ ENVIRON["LINGCTL_PATTERN"] || 1) }' </dev/null || return 65
  case $1 in *'{'[0-9]*)
    echo aa | awk '/^a{2}$/ { found = 1 } END { exit !found }' || {
      echo "the awk of this node takes no {n}: write [0-9][0-9] for [0-9]{2}" >&2
      return 65
    }
    ;;
  esac
  all=$2
  set --
  # Else it would wait for 4,096 bytes.
  case $(awk -W version 2>/dev/null </dev/null) in mawk*) set -- -W interactive ;; esac
  awk "$@" -v all="$all" '
    BEGIN { pattern = ENVIRON["LINGCTL_PATTERN"] }
    $0 ~ pattern { if (head != "") print "-" head; head = ""; print "+" $0; fflush(); next }
    all != "" { print "-" substr($0, 1, 1000); next }
    /[0-9][0-9]:[0-9][0-9]:[0-9][0-9]/ { head = substr($0, 1, 200) }
  '
}
