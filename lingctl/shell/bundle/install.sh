#!/bin/sh
# Installs lingctl from this folder alone: sh install.sh [FOLDER]. PYTHON names another interpreter.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-$HOME/lingctl}
python=${PYTHON:-python@PYTHON@}
command -v "$python" >/dev/null || { echo "$python is not here: PYTHON=/path names one" >&2; exit 1; }
(cd "$here" && sha256sum --check --quiet SHA256SUMS)
"$python" -m venv --without-pip "$target"
# pip comes along too: Debian's and Ubuntu's Python often have none.
set -- "$here"/wheels/pip-*.whl
"$target/bin/python" "$1/pip" install --quiet --no-index --find-links "$here/wheels" \
  --require-hashes --requirement "$here/requirements.txt"
echo "$target/bin/lingctl"
