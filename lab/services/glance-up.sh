# The environments of the real Glance, with our library and with the release that it stands in for; sourced by up.sh.
# The tests start their servers themselves.
need qemu-img=qemu-utils
makers=()
for library in ours peer; do
    bash "$LAB_DIR/glance/environment.sh" "$library" >"$LAB/log/glance-$library.log" 2>&1 &
    makers+=("$!")
done
for maker in "${makers[@]}"; do
    wait "$maker" || { log "an environment of Glance cannot be made; see $LAB/log/glance-*.log"; return 1; }
done
