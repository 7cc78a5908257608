# Ceph: a monitor, a manager and an OSD on a sparse file, from Debian's packages, all on the loopback; sourced by up.sh.
# Pools: images and volumes, and images-data for the data of images whose header is elsewhere.
# Users: client.admin; client.images may all with images, client.cinder with volumes too, client.reader only reads images.
# CEPH_OSD_BYTES is the size of the OSD's disk, 20 GiB unless it says otherwise.
need ceph-mon=ceph-mon ceph-mgr=ceph-mgr ceph-osd=ceph-osd ceph=ceph-common rbd=ceph-common

ceph_place=$LAB/ceph
ceph_conf=$ceph_place/ceph.conf

# The command itself waits for ever for a monitor that does not answer.
lab_ceph() { timeout 30 ceph -c "$ceph_conf" --connect-timeout 10 "$@"; }
lab_osd_is_up() { lab_ceph osd stat | grep -q ' 1 up'; }
lab_health_is_ok() { lab_ceph health | grep -q HEALTH_OK; }

# lab_pool NAME: make a pool for images.
lab_pool() {
    lab_ceph osd pool create "$1" 8 8 replicated
    timeout 60 rbd -c "$ceph_conf" pool init "$1"
}

# lab_user NAME CAPS...: make a user, its key where the configuration looks for it.
lab_user() {
    local name=$1
    shift
    lab_ceph auth get-or-create "client.$name" "$@" -o "$ceph_place/client.$name.keyring"
}

lab_ceph_files() {
    local port=$1 fsid
    mkdir -p "$ceph_place"/{mon,mgr,osd}
    fsid=$(cat /proc/sys/kernel/random/uuid)
    # A single copy needs the leave of the monitor, and a word to keep it from warning.  Proposals are not gathered for
    # as long as by default, which made the start four times as long.  No sockets: their paths must be short.  Read leases
    # last for 20 minutes: one that ends while the OSD is suspended leaves a placement group without copies "laggy" for good,
    # and every request to it waiting (ceph-container #1682).
    cat >"$ceph_conf" <<C
[global]
fsid = $fsid
mon_initial_members = a
mon_host = v2:127.0.0.1:$port
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
keyring = $ceph_place/\$type.\$id.keyring
log_file = $LAB/log/ceph-\$type.\$id.log
admin_socket =
pid_file =
run_dir = $LAB/run
crash_dir = $ceph_place/crash
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
[client]
log_file =
[mon]
mon_data = $ceph_place/mon
keyring = $ceph_place/mon/keyring
mon_cluster_log_file = $LAB/log/ceph-cluster.log
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 2
mon_data_avail_crit = 1
paxos_propose_interval = 0.01
paxos_min_wait = 0.01
mon_tick_interval = 1
[mgr]
mgr_data = $ceph_place/mgr
mgr_initial_modules =
mgr_tick_period = 1
mgr_stats_period = 1
[osd]
osd_data = $ceph_place/osd
osd_objectstore = bluestore
bluestore_block_create = true
bluestore_block_size = ${CEPH_OSD_BYTES:-21474836480}
osd_memory_target = 939524096
osd_memory_cache_min = 134217728
osd_op_num_shards = 2
osd_client_watch_timeout = 3
osd_pool_default_read_lease_ratio = 60
C
    {
        ceph-authtool --create-keyring "$ceph_place/mon.keyring" --gen-key -n mon. --cap mon 'allow *'
        ceph-authtool --create-keyring "$ceph_place/client.admin.keyring" --gen-key -n client.admin \
            --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
        ceph-authtool "$ceph_place/mon.keyring" --import-keyring "$ceph_place/client.admin.keyring"
        monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$port]" "$ceph_place/monmap"
        timeout 60 ceph-mon -c "$ceph_conf" --mkfs -i a --monmap "$ceph_place/monmap" \
            --keyring "$ceph_place/mon.keyring" --mon-data "$ceph_place/mon"
    } >>"$LAB/log/ceph-make.log" 2>&1
}

lab_ceph_osd() {
    local uuid key
    uuid=$(cat /proc/sys/kernel/random/uuid)
    {
        ceph-authtool --create-keyring "$ceph_place/osd/keyring" --gen-key -n osd.0
        cp "$ceph_place/osd/keyring" "$ceph_place/osd.0.keyring"
        key=$(ceph-authtool "$ceph_place/osd/keyring" -n osd.0 -p)
        echo "{\"cephx_secret\": \"$key\"}" | lab_ceph osd new "$uuid" -i -
        timeout 120 ceph-osd -c "$ceph_conf" -i 0 --mkfs --osd-uuid "$uuid"
    } >>"$LAB/log/ceph-make.log" 2>&1
}

lab_ceph_up() {
    lab_ceph_files "$(free_port)"
    spawn ceph-mon ceph-mon -f -i a -c "$ceph_conf"
    wait_for 30 "the monitor of Ceph" lab_ceph mon stat
    lab_ceph auth get-or-create mgr.x mon 'allow profile mgr' osd 'allow *' -o "$ceph_place/mgr.x.keyring"
    spawn ceph-mgr ceph-mgr -f -i x -c "$ceph_conf"
    lab_ceph_osd
    spawn ceph-osd ceph-osd -f -i 0 -c "$ceph_conf"
    wait_for 60 "the OSD of Ceph" lab_osd_is_up
    for pool in images images-data volumes; do lab_pool $pool; done >>"$LAB/log/ceph-make.log" 2>&1
    local images='profile rbd pool=images, profile rbd pool=images-data'
    lab_user images mon 'profile rbd' osd "$images" mgr 'profile rbd'
    lab_user cinder mon 'profile rbd' osd "profile rbd pool=volumes, $images" mgr 'profile rbd'
    lab_user reader mon 'profile rbd' osd 'profile rbd-read-only pool=images' mgr 'profile rbd-read-only'
    wait_for 60 "a healthy Ceph" lab_health_is_ok
}

lab_ceph_up
tell MULTISTORE_LAB_CEPH "$ceph_conf"
tell MULTISTORE_LAB_CEPH_RUN "$LAB/run"
