# OpenStack Swift from PyPI, one of each server and one copy of everything, on the loopback; sourced by up.sh.
# A proxy with Swift's own users (tempauth, v1), S3 on the same port; keystone-up.sh starts another on the same storage.
# Tests that need a proxy with other settings start it themselves, from the files in MULTISTORE_LAB_SWIFT_ETC.
need memcached=memcached
openstack=$(bash "$LAB_DIR/openstack/environment.sh")

swift_place=$LAB/swift
swift_etc=$swift_place/etc

# lab_swift_storage NAME PORT: the configuration and the ring of one of the storage servers.
lab_swift_storage() {
    local name=$1 port=$2 builder=("$openstack/bin/swift-ring-builder" "$swift_etc/$1.builder")
    cat >"$swift_etc/$name.conf" <<C
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
workers = 0
user = $(id -un)
swift_dir = $swift_etc
devices = $swift_place/devices
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
log_address = $LAB/run/log.sock
[pipeline:main]
pipeline = $name-server
[app:$name-server]
use = egg:swift#$name
log_name = $name
C
    "${builder[@]}" create 4 1 1
    "${builder[@]}" add "r1z1-127.0.0.1:$port/d1" 100
    "${builder[@]}" rebalance
}

# lab_swift_proxy FILE PORT FILTERS [KEYSTONE]: the configuration of a proxy; FILTERS say who is let in.
lab_swift_proxy() {
    cat >"$swift_etc/$1" <<C
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $2
workers = 0
user = $(id -un)
swift_dir = $swift_etc
log_address = $LAB/run/log.sock
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk $3 copy container-quotas account-quotas slo dlo proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
node_timeout = 30
conn_timeout = 2
[filter:tempauth]
use = egg:swift#tempauth
user_admin_admin = admin .admin .reseller_admin
user_test_tester = testing .admin
user_test_reader = reading
user_other_tester = testing .admin
storage_url_scheme = http
token_life = 86400
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
auth_type = password
www_authenticate_uri = ${4:-}
auth_url = ${4:-}
user_domain_id = default
project_domain_id = default
project_name = service
username = swift
password = swiftpass
delay_auth_decision = true
cache = swift.cache
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
reseller_prefix = AUTH
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$swift_cache
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:account-quotas]
use = egg:swift#account_quotas
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
[filter:copy]
use = egg:swift#copy
# small segments, which only tests have, would be read at one a second after the tenth
[filter:slo]
use = egg:swift#slo
rate_limit_segments_per_sec = 0
[filter:dlo]
use = egg:swift#dlo
rate_limit_segments_per_sec = 0
[filter:ratelimit]
use = egg:swift#ratelimit
C
}

lab_swift_up() {
    local name port maker ports=() makers=()
    mkdir -p "$swift_etc" "$swift_place/devices/d1"
    while [ ${#ports[@]} -lt 5 ]; do # free_port may give the same one twice
        port=$(free_port)
        case " ${ports[*]} " in *" $port "*) ;; *) ports+=("$port") ;; esac
    done
    swift_cache=${ports[3]} swift_port=${ports[4]}
    cat >"$swift_etc/swift.conf" <<C
[swift-hash]
swift_hash_path_prefix = lab
swift_hash_path_suffix = lab
[storage-policy:0]
name = only
default = yes
C
    lab_swift_proxy proxy.conf "$swift_port" "s3api tempauth"
    spawn swift-log "$openstack/bin/python" "$LAB_DIR/openstack/syslog.py" "$LAB/run/log.sock" "$LAB/log/swift.log"
    spawn memcached memcached -l 127.0.0.1 -p "$swift_cache" -U 0 -m 32 -u "$(id -un)"
    for name in account container object; do
        lab_swift_storage $name "${ports[0]}" >>"$LAB/log/swift-make.log" 2>&1 &
        makers+=("$!")
        ports=("${ports[@]:1}")
    done
    for maker in "${makers[@]}"; do
        wait "$maker" || { log "Swift's rings cannot be made; see $LAB/log/swift-make.log"; return 1; }
    done
    wait_for 10 "the log of Swift" test -S "$LAB/run/log.sock"
    for name in account container object; do
        spawn swift-$name "$openstack/bin/swift-$name-server" "$swift_etc/$name.conf"
    done
    spawn swift-proxy "$openstack/bin/swift-proxy-server" "$swift_etc/proxy.conf"
    for name in account container object; do
        wait_for 30 "Swift's $name server" port_open "$(sed -n 's/^bind_port = //p' "$swift_etc/$name.conf")"
    done
    wait_for 30 "Swift's proxy" curl -sf -m 5 "http://127.0.0.1:$swift_port/healthcheck"
}

lab_swift_up
tell MULTISTORE_LAB_SWIFT "http://127.0.0.1:$swift_port"
tell MULTISTORE_LAB_SWIFT_AUTH "http://127.0.0.1:$swift_port/auth/v1.0"
tell MULTISTORE_LAB_SWIFT_USER test:tester
tell MULTISTORE_LAB_SWIFT_KEY testing
tell MULTISTORE_LAB_SWIFT_ETC "$swift_etc"
tell MULTISTORE_LAB_SWIFT_RUN "$LAB/run"
tell MULTISTORE_LAB_OPENSTACK "$openstack"
