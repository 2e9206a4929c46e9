#!/bin/sh
# In the container: is the daemon there? $1 pid file, $2 tick at which it was started. A pid file that is there and
# cannot be read tells nothing: the daemon may serve.
. ./alive.sh
start=$2
if ! pid=$(cat "$1" 2>/dev/null); then
  said=$(LC_ALL=C cat "$1" 2>&1 >/dev/null)
  case $said in *"No such file"*) ;; *) echo "unknown $(echo "$said" | tail -n 1)" && exit 0 ;; esac
fi
if [ -n "$pid" ] && alive; then echo "alive $pid"; else echo dead; fi
