# The gateway of Ceph, which speaks S3 and Swift (its v1 API) over HTTP and HTTPS; sourced by up.sh.
# One S3 user, and a Swift user of the same account; an S3 user with a quota of 20 MiB, and one that is nobody's friend.
require ceph
need radosgw=radosgw

rgw_place=$LAB/rgw
rgw_conf=$rgw_place/ceph.conf
rgw_http=$(free_port)
rgw_https=$(free_port)
while [ "$rgw_https" = "$rgw_http" ]; do rgw_https=$(free_port); done
lab_certificate "$rgw_place/tls"
lab_ceph auth get-or-create client.rgw mon 'allow rw' osd 'allow rwx' mgr 'allow rw' -o "$rgw_place/keyring"
# Of every pool that it makes by itself one placement group is enough here.
# It frees what was deleted after two hours unless told otherwise, and a bench stores more than the cluster holds.
cat "$ceph_conf" - >"$rgw_conf" <<C
[client.rgw]
keyring = $rgw_place/keyring
rgw_data = $rgw_place
rgw_frontends = beast endpoint=127.0.0.1:$rgw_http ssl_endpoint=127.0.0.1:$rgw_https ssl_certificate=$rgw_place/tls/cert.pem ssl_private_key=$rgw_place/tls/key.pem
rgw_thread_pool_size = 64
rgw_crypt_require_ssl = false
rgw_dns_name = localhost
rgw_rados_pool_pg_num_min = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
rgw_gc_obj_min_wait = 60
rgw_gc_processor_period = 60
rgw_gc_processor_max_time = 60
C

lab_rgw_admin() { timeout 60 radosgw-admin -c "$rgw_conf" -n client.rgw "$@" >>"$LAB/log/rgw-admin.log" 2>&1; }

spawn rgw radosgw -f -n client.rgw -c "$rgw_conf"
wait_for 60 "the gateway of Ceph" port_open "$rgw_https"
lab_rgw_admin user create --uid=lab --display-name=Lab --access-key=labaccess --secret=labsecret
lab_rgw_admin subuser create --uid=lab --subuser=lab:swift --access=full
lab_rgw_admin key create --subuser=lab:swift --key-type=swift --secret=labswift
lab_rgw_admin user create --uid=small --display-name=Small --access-key=smallaccess --secret=smallsecret
lab_rgw_admin quota set --quota-scope=user --uid=small --max-size=20M
lab_rgw_admin quota enable --quota-scope=user --uid=small
lab_rgw_admin user create --uid=other --display-name=Other --access-key=otheraccess --secret=othersecret
tell MULTISTORE_LAB_RGW "http://127.0.0.1:$rgw_http"
tell MULTISTORE_LAB_RGW_TLS "https://localhost:$rgw_https"
tell MULTISTORE_LAB_RGW_CA "$rgw_place/tls/cert.pem"
tell MULTISTORE_LAB_RGW_ACCESS labaccess
tell MULTISTORE_LAB_RGW_SECRET labsecret
tell MULTISTORE_LAB_RGW_SWIFT_USER lab:swift
tell MULTISTORE_LAB_RGW_SWIFT_KEY labswift
