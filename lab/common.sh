# What the lab's scripts share; to be sourced.  Data, logs and pid files live in lab/.data; daemons listen on 127.0.0.1 only.
LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB=$LAB_DIR/.data
export LAB

log() { printf 'lab: %s\n' "$*" >&2; }

# start_time PID: tells a process from a later one with the same number.
start_time() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# alive NAME: whether the process that spawn started is running; a zombie is not.
alive() {
    local pid started
    [ -s "$LAB/run/$1.pid" ] || return 1
    read -r pid started <"$LAB/run/$1.pid"
    [ "$(start_time "$pid")" = "$started" ] &&
        [ "$(sed 's/^.*) //' "/proc/$pid/stat" 2>/dev/null | cut -c1)" != Z ]
}

# spawn NAME COMMAND...: start a daemon in a session of its own and remember it.
spawn() {
    local name=$1 pid
    shift
    setsid "$@" </dev/null >>"$LAB/log/$name.log" 2>&1 &
    pid=$!
    echo "$pid $(start_time "$pid")" >"$LAB/run/$name.pid"
    disown "$pid"
}

# stop NAME [SECONDS]: end it politely, then by force; it takes its children along by itself or they are ended by pid.
stop() {
    local name=$1 limit=${2:-10} pid started kids end kid
    if ! alive "$name"; then
        rm -f "$LAB/run/$name.pid"
        return 0
    fi
    read -r pid started <"$LAB/run/$name.pid"
    kids=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null || true)
    kill -TERM "$pid" 2>/dev/null || true
    end=$((SECONDS + limit))
    while alive "$name" && [ $SECONDS -lt $end ]; do sleep 0.05; done
    if alive "$name"; then
        log "$name does not end: killed"
        kill -KILL "$pid" 2>/dev/null || true
        for kid in $kids; do kill -KILL "$kid" 2>/dev/null || true; done
    fi
    rm -f "$LAB/run/$name.pid"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            log "waited in vain for $what; see $LAB/log"
            return 1
        fi
        sleep 0.1
    done
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port: one that nobody listens on now.
free_port() {
    local port
    for _ in $(seq 100); do
        port=$((20000 + RANDOM % 10000))
        if ! port_open $port; then
            echo $port
            return 0
        fi
    done
    log "no free port found"
    return 1
}

# lab_certificate FOLDER: a key and a certificate for this machine, which is its own authority, as key.pem and cert.pem.
lab_certificate() {
    need openssl=openssl
    mkdir -p "$1"
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=localhost" \
        -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
        -keyout "$1/key.pem" -out "$1/cert.pem" 2>>"$LAB/log/openssl.log"
}

# need COMMAND=PACKAGE...: install the packages whose commands are missing.
need() {
    local pair missing=()
    PATH=$PATH:/usr/sbin:/sbin
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} = 0 ] && return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        log "missing: ${missing[*]}; on Debian, as root, they are installed by this script"
        return 1
    fi
    log "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    if [ ! -e "$LAB/run/apt-updated" ]; then
        timeout 300 apt-get update -q >>"$LAB/log/apt.log" 2>&1 || log "apt-get update failed; going on"
        touch "$LAB/run/apt-updated"
    fi
    timeout 600 apt-get install -y -q --no-install-recommends "${missing[@]}" >>"$LAB/log/apt.log" 2>&1 || {
        log "apt-get install failed:"
        tail -n 5 "$LAB/log/apt.log" >&2
        return 1
    }
}

# tell KEY VALUE: what the tests have to know.
tell() { printf "%s='%s'\n" "$1" "$2" >>"$LAB/env.new"; }

# require SERVICE...: start those that this run has not started yet; a service calls it for what it stands on.
lab_started=" "
require() {
    local service
    for service in "$@"; do
        case $lab_started in *" $service "*) continue ;; esac
        [ -r "$LAB_DIR/services/$service-up.sh" ] || { log "no service is called $service"; return 1; }
        lab_started+="$service "
        . "$LAB_DIR/services/$service-up.sh"
    done
}
