# Keystone from PyPI on SQLite under gunicorn, and a proxy of Swift that asks it who is who, on the loopback; sourced by up.sh.
# Users: admin/adminpass, demo/demopass (project demo), other/otherpass (project other), all in the domain Default;
# glance/glancepass, swift/swiftpass and cinder/cinderpass of the project service.  The catalog's region is RegionOne.
require swift

keystone_place=$LAB/keystone
keystone_port=$(free_port)
keystone_url=http://127.0.0.1:$keystone_port/v3

lab_keystone_manage() {
    timeout 120 "$openstack/bin/keystone-manage" --config-file "$keystone_place/keystone.conf" "$@" \
        >>"$LAB/log/keystone-make.log" 2>&1
}

lab_keystone_files() {
    local me
    me=$(id -un)
    mkdir -p "$keystone_place"
    cat >"$keystone_place/keystone.conf" <<C
[DEFAULT]
log_file = $LAB/log/keystone.log
public_endpoint = http://127.0.0.1:$keystone_port
[database]
connection = sqlite:///$keystone_place/keystone.db
[token]
provider = fernet
expiration = 86400
[fernet_tokens]
key_repository = $keystone_place/fernet-keys
[credential]
key_repository = $keystone_place/credential-keys
[cache]
enabled = true
backend = dogpile.cache.memory
[identity]
password_hash_rounds = 4
C
    # oslo.config reads the arguments of gunicorn's workers as its own, so there are none.  A kept connection is not closed
    # after 2 s, which resets clients that were idle.  One request at a time: logging in reads and then writes within one
    # transaction, and of two such SQLite ends one at once with "database is locked", which Keystone answers with 500.
    # Of gunicorn's workers, the one with threads keeps connections, be it with one.
    cat >"$keystone_place/gunicorn.conf.py" <<C
bind = "127.0.0.1:$keystone_port"
worker_class = "gthread"
workers = 1
threads = 1
timeout = 120
keepalive = 120
control_socket_disable = True
wsgi_app = "keystone.wsgi.api:application"
C
    lab_keystone_manage db_sync
    lab_keystone_manage fernet_setup --keystone-user "$me" --keystone-group "$(id -gn)"
    lab_keystone_manage credential_setup --keystone-user "$me" --keystone-group "$(id -gn)"
    lab_keystone_manage bootstrap --bootstrap-username admin --bootstrap-password adminpass \
        --bootstrap-project-name admin --bootstrap-role-name admin --bootstrap-service-name keystone \
        --bootstrap-region-id RegionOne --bootstrap-public-url "$keystone_url" \
        --bootstrap-internal-url "$keystone_url" --bootstrap-admin-url "$keystone_url"
}

# lab_endpoint NAME TYPE URL: put a service into the catalog.
lab_endpoint() {
    timeout 60 "$openstack/bin/python" "$LAB_DIR/openstack/seed.py" "$keystone_url" endpoint "$@"
}

lab_keystone_up() {
    local port
    lab_keystone_files
    spawn keystone env -C "$keystone_place" OS_KEYSTONE_CONFIG_DIR="$keystone_place" \
        OS_KEYSTONE_CONFIG_FILES=keystone.conf "$openstack/bin/gunicorn"
    wait_for 60 Keystone curl -sf -m 10 "$keystone_url"
    timeout 60 "$openstack/bin/python" "$LAB_DIR/openstack/seed.py" "$keystone_url" users
    port=$(free_port)
    lab_endpoint swift object-store "http://127.0.0.1:$port/v1/AUTH_\$(project_id)s"
    lab_swift_proxy proxy-keystone.conf "$port" "authtoken keystoneauth" "$keystone_url"
    spawn swift-proxy-keystone "$openstack/bin/swift-proxy-server" "$swift_etc/proxy-keystone.conf"
    wait_for 30 "Swift's proxy for Keystone" curl -sf -m 5 "http://127.0.0.1:$port/healthcheck"
    tell MULTISTORE_LAB_KEYSTONE "$keystone_url"
    tell MULTISTORE_LAB_KEYSTONE_SWIFT "http://127.0.0.1:$port"
}

lab_keystone_up
