#!/bin/sh
# Names in a folder, or "absent". $1 folder.
. ./there.sh
cd "$1" && ls -1
