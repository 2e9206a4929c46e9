#!/bin/sh
# What each Python here is ("python MAJOR MINOR HAS-THE-MODULE NAME PATH"), up to the first that will do.
# $module is what it must be able to import, if anything; $usable becomes the first that can run our program.
# shellcheck disable=SC2154,SC2034,SC2086
# Without a module to look for, what is installed beside Python need not be found: that takes most of its start.
usable='' alone=-IS
[ -z "$module" ] || alone=
for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
  command -v "$name" >/dev/null || continue
  "$name" $alone -c "import fcntl, sys
name, module = sys.argv[1:]
has = not module or bool(__import__('importlib.util').util.find_spec(module))
version = sys.version_info[:2]
print('python', *version, int(has), name, sys.executable)
sys.exit(3 if version < (3, 9) else 4 if version < (3, 10) or not has else 0)" "$name" "$module" 2>/dev/null
  case $? in 0) usable=${usable:-$name}; break ;; 4) usable=${usable:-$name} ;; esac
done
