#!/bin/bash
# Ends every service of the lab, by pid, the latest first, and removes its data; nothing happens if nothing is there.
set -euo pipefail
. "$(dirname "$0")/common.sh"
# shellcheck disable=SC2045 # the names are our own
for file in $(ls -t "$LAB"/run/*.pid 2>/dev/null); do
    stop "$(basename "$file" .pid)"
done
# What was mounted below must not be removed with it, nor keep it.
awk -v lab="$LAB/" 'index($2, lab) == 1 { print $2 }' /proc/mounts | while read -r place; do
    umount "$place" || umount -l "$place"
done
rm -rf --one-file-system "$LAB"
