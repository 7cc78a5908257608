#!/bin/sh
# bindings.sh ENVIRONMENT: lets a virtual environment import Ceph's modules, which are on no package index, where the
# distribution has them; nothing else of its packages becomes visible.
set -eu
for module in /usr/lib/python3/dist-packages/rados.*.so /usr/lib/python3/dist-packages/rbd.*.so; do
    [ -e "$module" ] || continue
    for place in "$1"/lib/python3*/site-packages; do ln -sf "$module" "$place/"; done
done
