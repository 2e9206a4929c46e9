#!/bin/sh
# A filter of logs: the lines that may tell, with two before and two behind each, as long as they say something new.
# What differs in nothing but numbers is the same. Sixteen ranks that lost a seventeenth print the same hundreds of
# times behind the one line that says why. The locale is C: bytes of any encoding pass, ten times as fast.
first_of_each() { # lines to leave out, lines to look for, most bytes
  tr -d '\000' | tr '\r' '\n' | LC_ALL=C grep -a -v -E "$1" | LC_ALL=C grep -a -B 2 -A 2 -E "$2" |
    cut -c 1-1000 | head -c 40000000 | LC_ALL=C awk '
      function flush(i) {
        if (new) for (i = 1; i <= held; i++) print line[i]
        held = new = 0
      }
      $0 == "--" { flush(); next }
      {
        key = substr($0, 1, 200)
        gsub(/[0-9]+/, "#", key)
        if (!(key in seen)) { seen[key] = 1; new = 1 }
        line[++held] = $0
        if (held == 20) flush()
      }
      END { flush() }' | head -c "$3"
}
