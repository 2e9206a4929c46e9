#!/bin/sh
# SHA-256 of each file, and of each folder that of the names and sizes of its weights and code. $@ paths.
for path; do
  if [ -f "$path" ]; then sha256sum "$path" 2>/dev/null || echo "unknown  $path"
  elif [ -d "$path" ]; then
    if list=$(cd "$path" && ls -ln); then
      sum=$(printf '%s
' "$list" | awk '/^-/ && $9 ~ /[.](safetensors|bin|py)$/ {print $5, $9}' |
        sort | sha256sum)
      echo "${sum%% *}  $path"
    else echo "unknown  $path"
    fi
  else
    case $(LC_ALL=C stat -L -- "$path" 2>&1 >/dev/null) in
      *"No such file"*|*"Not a directory"*) echo "absent  $path";;
      *) echo "unknown  $path";;
    esac
  fi
done
