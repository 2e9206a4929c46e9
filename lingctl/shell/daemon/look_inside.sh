#!/bin/sh
# In the container: is the daemon there? $1 pid file, $2 tick at which it was started. A pid file that is there and
# cannot be read tells nothing: the daemon may serve.
. ./alive.sh
start=$2
pid=$(LC_ALL=C cat "$1" 2>&1) ||
  case $pid in *"No such file"*) pid= ;; *) echo "unknown $pid" && exit 0 ;; esac
if [ -n "$pid" ] && alive; then echo "alive $pid"; else echo dead; fi
