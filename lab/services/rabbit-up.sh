# RabbitMQ from Debian's package, with an epmd of its own, all on the loopback; sourced by up.sh.  Cinder's services talk through it.
need rabbitmqctl=rabbitmq-server

rabbit_place=$LAB/rabbit

lab_rabbit_up() {
    local epmd distribution
    rabbit_port=$(free_port)
    epmd=$(free_port)
    distribution=$(free_port)
    mkdir -p "$rabbit_place/mnesia" "$rabbit_place/log"
    cat >"$rabbit_place/rabbitmq.conf" <<C
listeners.tcp.default = 127.0.0.1:$rabbit_port
default_user = lab
default_pass = labrabbit
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 100MB
C
    echo '[].' >"$rabbit_place/enabled_plugins"
    local environment=(
        "HOME=$rabbit_place" ERL_EPMD_ADDRESS=127.0.0.1 "ERL_EPMD_PORT=$epmd"
        RABBITMQ_NODENAME=lab@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
        "RABBITMQ_NODE_PORT=$rabbit_port" "RABBITMQ_DIST_PORT=$distribution"
        "RABBITMQ_MNESIA_BASE=$rabbit_place/mnesia" "RABBITMQ_LOG_BASE=$rabbit_place/log"
        "RABBITMQ_ENABLED_PLUGINS_FILE=$rabbit_place/enabled_plugins" "RABBITMQ_CONFIG_FILE=$rabbit_place/rabbitmq"
        "RABBITMQ_CONF_ENV_FILE=$rabbit_place/none" "RABBITMQ_ADVANCED_CONFIG_FILE=$rabbit_place/advanced.config"
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"
    )
    spawn epmd env "${environment[@]}" epmd -address 127.0.0.1 -port "$epmd"
    wait_for 10 "epmd" port_open "$epmd"
    spawn rabbit env "${environment[@]}" /usr/lib/rabbitmq/bin/rabbitmq-server
    wait_for 60 "RabbitMQ" port_open "$rabbit_port"
}

lab_rabbit_up
rabbit_url=rabbit://lab:labrabbit@127.0.0.1:$rabbit_port/
