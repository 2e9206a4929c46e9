#!/bin/sh
# In the container: the newest files of moderate size as an archive. $1 folder, $2 size that they are below, $3 how many.
cd "$1" 2>/dev/null || exit 1
most=$2 files=$3
find . -type f -size "-$most" -exec ls -1t {} + | head -n "$files" | tar -cf - -T -
