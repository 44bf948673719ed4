#!/usr/bin/env bash
# Writes constraints.txt: the newest versions that pyproject.toml allows, of everything, in a fresh environment.
set -euo pipefail

cd "$(dirname "$0")/.."
python=${PYTHON:?the interpreter to resolve for}
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

"$python" -m venv "$fresh"
"$fresh/bin/pip" install --quiet --upgrade pip
"$fresh/bin/pip" install --quiet '.[all]' --group dev
{
    echo '# Exact versions of everything, development tools included. Renew with: make lock'
    "$fresh/bin/pip" freeze --all | grep -v -e '^responder\b' -e '^setuptools=' -e ' @ '
} >constraints.txt
