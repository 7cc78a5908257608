#!/bin/sh
# Makes lab/.data/peer, an environment with the release of glance_store that ours is compared with, unless it is there;
# prints the path of its Python.  PYTHON=... chooses the interpreter, by default that of .venv.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
peer=$root/lab/.data/peer
python=${PYTHON:-$root/.venv/bin/python}
[ -x "$python" ] || python=python3

# What is there counts if it was made here, to the end, from the present pins.
pins=$(cksum <"$here/requirements.txt")
if [ "$(cat "$peer/.ready" 2>/dev/null)" != "$peer $pins" ]; then
    echo "making lab/.data/peer with glance_store 5.7.0" >&2
    rm -rf "$peer"
    mkdir -p "$root/lab/.data"
    "$python" -m venv "$peer" >&2
    "$peer/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$here/requirements.txt" >&2
    echo "$peer $pins" >"$peer/.ready"
fi
sh "$here/../bindings.sh" "$peer"
echo "$peer/bin/python"
