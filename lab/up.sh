#!/bin/bash
# Starts the services that the real tests talk to, all or those that are named, and writes lab/.data/env.
# What runs already is ended first.  usage: up.sh [SERVICE...], by the names in lab/services
set -Eeuo pipefail
. "$(dirname "$0")/common.sh"
bash "$LAB_DIR/down.sh"
mkdir -p "$LAB/run" "$LAB/log"
trap 'log "not up"; bash "$LAB_DIR/down.sh"' ERR
while read -r package; do
    case $package in
    '#'* | '') ;;
    *) dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("-=$package") ;;
    esac
done <"$LAB_DIR/packages.txt"
need ${missing[@]+"${missing[@]}"}
: >"$LAB/env.new"
if [ $# = 0 ]; then
    set -- "$LAB_DIR"/services/*-up.sh
    set -- "${@##*/}"
    set -- "${@%-up.sh}"
fi
require "$@"
mv "$LAB/env.new" "$LAB/env"
log "up; $LAB/env says where"
