#!/bin/sh
# Names in a folder, or "absent". $1 folder. Done by asker.py itself: tell_names
. ./there.sh
cd "$1" && ls -1
