#!/bin/sh
# Makes .venv with everything of requirements/dev.txt and the packages themselves, and notes where in .venv/.ready.
# Run by the Makefile, in the root of the tree.  PYTHON=... chooses the interpreter.
set -eu

here=$(pwd -P)

usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for each in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$each" >/dev/null 2>&1 && usable "$each"; then
            echo "$each"
            return
        fi
    done
    echo "Python 3.11 or newer is needed; found: $(python3 --version 2>&1 || echo none). PYTHON=/path/to/python3.11 names one." >&2
    exit 1
}

# A half-made environment, or one that was copied from elsewhere, is made anew.
whole() {
    usable .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1 &&
        grep -qF "$here/.venv" .venv/pyvenv.cfg
}

if ! whole; then
    python=$(find_python)
    echo "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi

echo "installing requirements/dev.txt"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 \
    --requirement requirements/dev.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
    --editable packages/multistore --editable packages/glance_store --editable packages/multistore_digest
# Without a compiler the last one is there all the same, and says that hashlib does its work.
.venv/bin/python -m multistore_digest
printf '%s' "$here" >.venv/.ready
