#!/bin/sh
# In the container: how many processes the daemon has, also such as it left when it ended. $1 pid file, $2 tick at which
# it was started, $3 how names of the engine's processes begin
. ./left.sh
pid=$(cat "$1" 2>/dev/null) start=$2 names=$3
count() { echo "$1"; }
each_of count | wc -l
