#!/bin/sh
# In the container: the tick at which the daemon was started, nothing where it is gone. $1 pid file.
. ./alive.sh
pid=$(cat "$1" 2>/dev/null) start=
[ -n "$pid" ] && alive && set -- ${line##*) } && echo "${20}"
