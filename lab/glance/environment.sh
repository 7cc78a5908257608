#!/bin/bash
# environment.sh ours|peer: makes .venv-glance/NAME, a virtual environment with Glance and one of the two libraries.
# It is kept until the pins, Python or the place of the tree change.  Ours is installed editable, and anew when its metadata change.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
name=${1:-}
case $name in
ours) library=(--no-build-isolation --editable packages/multistore --editable packages/glance_store) described=(packages/*/pyproject.toml) ;;
peer) library=(--requirement lab/glance/peer.txt) described=(lab/glance/peer.txt) ;;
*)
    echo "usage: environment.sh ours|peer" >&2
    exit 2
    ;;
esac
python=$PWD/.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
place=$PWD/.venv-glance/$name

# stale WHAT STATE: whether it was made of something else.
stale() { [ "$2" != "$(cat "$place/.$1" 2>/dev/null)" ]; }

pip() { "$place/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

mkdir -p .venv-glance
exec 9>".venv-glance/$name.lock"
flock --wait 300 9
base="$place $("$python" --version) $(cat lab/glance/glance.txt lab/glance/environment.sh | sha256sum)"
added=$(cat "${described[@]}" | sha256sum)
if stale base "$base"; then
    "$python" -m venv --clear "$place"
    pip install --no-deps --requirement lab/glance/glance.txt
    echo "$base" >"$place/.base"
fi
if stale added "$added"; then
    rm -f "$place"/suite-*.json # results of the library that goes
    pip install --no-deps "${library[@]}"
    pip check
    echo "$added" >"$place/.added"
fi
sh lab/bindings.sh "$place"
