#!/bin/sh
# Permissions, owner and digest of a file that is never fetched, or "absent". $1 file.
. ./there.sh
stat -c "%a %u" "$1" && sum=$(sha256sum <"$1") && echo "${sum%% *}"
