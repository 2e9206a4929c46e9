#!/bin/sh
# Compiles the configuration checker of a MindIE-LLM checkout (v3.0.0), so that test_real_checker.py can run it:
#   git clone --depth 1 --branch v3.0.0 https://github.com/Ascend/MindIE-LLM.git
#   tests/mindie_checker/build.sh MindIE-LLM /tmp/checker
#   LINGCTL_MINDIE_CHECKER=/tmp/checker/judge python -m pytest tests/mindie_checker
# Needs g++, python3-config, and the headers of nlohmann-json (3.11), spdlog (1.10) and fmt (9); INCLUDES may
# name their folder.
set -eu
[ $# -eq 2 ] || { echo "usage: build.sh MINDIE-LLM-CHECKOUT OUTPUT-FOLDER" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$1" && pwd)/src
mkdir -p "$2"
out=$(cd "$2" && pwd)

flags="-std=c++17 -O1 -w -I$here/stand_in ${INCLUDES:+-I$INCLUDES}"
for folder in include include/utils include/config utils/log utils config_manager; do
  flags="$flags -I$source/$folder"
done
flags="$flags $(python3-config --includes)"

compile() {
  echo "$1"
  g++ $flags '-DSPDLOG_FMT_STRING(text)=FMT_STRING(text)' -c "$1" -o "$out/$(basename "$1" .cpp).o"
}
for file in "$source"/config_manager/*.cpp "$here"/judge.cpp "$here"/fmt_parts.cpp; do
  compile "$file"
done
for name in check_utils common_util env_util safe_io safe_path safe_result safe_envvar string_utils error \
  log/file_utils log/file_system log/log_config log/log_utils; do
  compile "$source/utils/$name.cpp"
done
library=$(python3-config --prefix)/lib
g++ "$out"/*.o -o "$out/judge" -lstdc++fs -lpthread -L"$library" -Wl,-rpath,"$library" $(python3-config --embed --libs)
echo "$out/judge"
