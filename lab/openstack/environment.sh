#!/bin/bash
# Makes .venv-openstack, a virtual environment with Swift, Keystone and Cinder, unless it is there; prints its path.
# It is kept until the pins, Python or the place of the tree change.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=$PWD/.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
place=$PWD/.venv-openstack

exec 9<lab/openstack/requirements.txt # one maker at a time
flock --wait 300 9
made="$place $("$python" --version) $(cat lab/openstack/requirements.txt lab/openstack/environment.sh | sha256sum)"
if [ "$made" != "$(cat "$place/.made" 2>/dev/null)" ]; then
    echo "making .venv-openstack with Swift, Keystone and Cinder" >&2
    "$python" -m venv --clear "$place" >&2
    "$place/bin/python" -m pip --disable-pip-version-check -qq install --no-deps --requirement lab/openstack/requirements.txt >&2
    "$place/bin/python" -m pip --disable-pip-version-check --quiet check >&2
    echo "$made" >"$place/.made"
fi
echo "$place"
