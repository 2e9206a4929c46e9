#!/bin/sh
# In the container: is the daemon there? $1 pid file, $2 tick at which it was started.
. ./alive.sh
pid=$(cat "$1" 2>/dev/null) start=$2
if [ -n "$pid" ] && alive; then echo "alive $pid"; else echo dead; fi
