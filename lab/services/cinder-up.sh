# Cinder from PyPI: API under gunicorn, scheduler and volume service, with Keystone, RabbitMQ and the lab's Ceph; sourced by up.sh.
# Volume types: rbd, volumes in Ceph; nfs, files that Cinder's own NFS driver makes on a STAND-IN for an NFS mount: kernels of
# containers have no NFS client, so /sbin/mount.nfs binds the exported directory, if the system has no such command.
# Each service can be started again by the script of its name in $LAB/cinder: api, scheduler, volume.
# It looks for Glance at a port that is free until a test starts one there, and clones images that are volumes already.
require ceph keystone rabbit
need qemu-img=qemu-utils

cinder_place=$LAB/cinder

# Ceph's Python modules are made for the system's Python; the two files alone are made visible.
lab_cinder_ceph() {
    local site name
    site=$("$openstack/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
    for name in rados rbd; do ln -sf /usr/lib/python3/dist-packages/$name.*.so "$site/"; done
    # os-brick looks for keys of Ceph nowhere else.
    mkdir -p /etc/ceph
    ln -sfn "$ceph_place/client.cinder.keyring" /etc/ceph/ceph.client.cinder.keyring
}

lab_cinder_nfs() {
    mkdir -p "$cinder_place/export"
    echo "127.0.0.1:$cinder_place/export" >"$cinder_place/shares"
    chmod 640 "$cinder_place/shares"
    if [ ! -e /sbin/mount.nfs ]; then
        cat >/sbin/mount.nfs <<'C'
#!/bin/sh
# A stand-in of the lab, where the kernel has no NFS: HOST:/DIRECTORY is bound to the mount point.
[ $# -ge 2 ] || exit 1
exec mount --bind "${1#*:}" "$2"
C
        chmod 755 /sbin/mount.nfs
    fi
}

lab_cinder_files() {
    mkdir -p "$cinder_place"/{state,locks,mnt,mnt-images}
    cat >"$cinder_place/cinder.conf" <<C
[DEFAULT]
host = lab
my_ip = 127.0.0.1
state_path = $cinder_place/state
transport_url = $rabbit_url
auth_strategy = keystone
api_paste_config = $openstack/etc/cinder/api-paste.ini
resource_query_filters_file = $openstack/etc/cinder/resource_filters.json
rootwrap_config = $openstack/etc/cinder/rootwrap.conf
enabled_backends = rbd,nfs
default_volume_type = rbd
report_interval = 2
periodic_interval = 5
periodic_fuzzy_delay = 0
rpc_response_timeout = 15
glance_api_servers = http://127.0.0.1:$cinder_glance_port
allowed_direct_url_schemes = cinder
[database]
connection = sqlite:///$cinder_place/cinder.db?timeout=60
sqlite_synchronous = false
[keystone_authtoken]
www_authenticate_uri = $keystone_url
auth_url = $keystone_url
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = cinder
password = cinderpass
service_token_roles_required = true
[glance]
auth_url = $keystone_url
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = cinder
password = cinderpass
[oslo_concurrency]
lock_path = $cinder_place/locks
[coordination]
backend_url = file://$cinder_place/state
[rbd]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_backend_name = rbd
image_upload_use_cinder_backend = true
rbd_ceph_conf = $ceph_conf
rbd_cluster_name = ceph
rbd_user = cinder
rbd_pool = volumes
rbd_secret_uuid = 457eb676-33da-42ec-9a8c-9293d545c337
rados_connect_timeout = 10
rados_connection_interval = 1
rados_connection_retries = 6
[nfs]
volume_driver = cinder.volume.drivers.nfs.NfsDriver
volume_backend_name = nfs
nfs_shares_config = $cinder_place/shares
nfs_mount_point_base = $cinder_place/mnt
nfs_sparsed_volumes = true
nfs_snapshot_support = true
nas_secure_file_operations = false
nas_secure_file_permissions = true
C
    # None of them would find the helper by itself.
    for section in privsep cinder_sys_admin privsep_osbrick; do
        printf '[%s]\nhelper_command = %s --config-file %s\n' \
            $section "$openstack/bin/privsep-helper" "$cinder_place/cinder.conf" >>"$cinder_place/cinder.conf"
    done
    cat >"$cinder_place/gunicorn.conf.py" <<C
bind = "127.0.0.1:$cinder_port"
workers = 1
threads = 8
timeout = 120
keepalive = 120
control_socket_disable = True
raw_env = ["OS_CINDER_CONFIG_FILES=$cinder_place/cinder.conf"]
wsgi_app = "labcinder:application"
pythonpath = "$cinder_place"
C
    # oslo.config reads the arguments of gunicorn's workers as its own.
    cat >"$cinder_place/labcinder.py" <<C
import sys

sys.argv = ["cinder-api", "--config-file", "$cinder_place/cinder.conf"]
from cinder.wsgi import wsgi

application = wsgi.initialize_application()
C
    lab_cinder_script api gunicorn
    lab_cinder_script scheduler cinder-scheduler --config-file "$cinder_place/cinder.conf"
    lab_cinder_script volume cinder-volume --config-file "$cinder_place/cinder.conf"
}

# SQLite gives a transaction up at once that has read before another one wrote; so each takes its turn from its beginning.
lab_cinder_database() {
    mkdir -p "$cinder_place/site"
    cat >"$cinder_place/site/sitecustomize.py" <<'C'
try:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
except ImportError:  # another Python's command
    pass
else:

    @event.listens_for(Engine, "before_cursor_execute", retval=True)
    def _take_turns(connection, cursor, statement, parameters, context, executemany):
        return ("BEGIN IMMEDIATE" if statement == "BEGIN" else statement), parameters
C
    timeout 120 "$openstack/bin/cinder-manage" --config-file "$cinder_place/cinder.conf" db sync \
        >>"$LAB/log/cinder-make.log" 2>&1
    "$openstack/bin/python" -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute("pragma journal_mode = wal")' \
        "$cinder_place/cinder.db"
}

# lab_cinder_script NAME COMMAND...: write what starts a service.
lab_cinder_script() {
    local name=$1
    shift
    printf '#!/bin/bash\ncd %q\nexport PATH=%q:$PATH PYTHONPATH=%q\nexec %q' \
        "$cinder_place" "$openstack/bin" "$cinder_place/site" "$openstack/bin/$1" \
        >"$cinder_place/$name"
    shift
    [ $# = 0 ] || printf ' %q' "$@" >>"$cinder_place/$name"
    echo >>"$cinder_place/$name"
    chmod 755 "$cinder_place/$name"
}

lab_cinder_up() {
    cinder_port=$(free_port)
    cinder_glance_port=$((30000 + RANDOM % 2000)) # neither free_port nor the kernel gives it to anybody else
    lab_cinder_ceph
    lab_cinder_files
    lab_cinder_nfs
    lab_cinder_database
    spawn cinder-scheduler "$cinder_place/scheduler"
    spawn cinder-volume "$cinder_place/volume"
    spawn cinder-api "$cinder_place/api"
    lab_endpoint cinder volumev3 "http://127.0.0.1:$cinder_port/v3/\$(project_id)s"
    wait_for 60 "Cinder's API" curl -s -m 5 "http://127.0.0.1:$cinder_port/"
    timeout 120 "$openstack/bin/python" "$LAB_DIR/openstack/volume_types.py" "$keystone_url" rbd nfs
    tell MULTISTORE_LAB_CINDER "http://127.0.0.1:$cinder_port"
    tell MULTISTORE_LAB_CINDER_GLANCE "$cinder_glance_port"
    tell MULTISTORE_LAB_CINDER_PLACE "$cinder_place"
    tell MULTISTORE_LAB_CINDER_RUN "$LAB/run"
}

lab_cinder_up
