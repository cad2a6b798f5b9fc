# A Debian with systemd as PID 1, in a container without a network; sourced by `run`, and by tests/packages/run. It has
# `ok` and its like, and takes everything away at the end. KEEP=1 leaves the container. Who sources it has set $machine, the
# folder of this file.
# shellcheck shell=bash
: "${machine:?}"

name=wxgate-machine-$$
work=$(mktemp -d "${TMPDIR:-/tmp}/sd-run.XXXXXX")
passed=0 failed=0

finish() {
  [ -n "${KEEP:-}" ] || podman rm --force --time 0 "$name" >/dev/null 2>&1
  rm -rf "$work"
}
trap finish EXIT

say() { printf '\n== %s\n' "$*"; }
ok() { # ok WORDS COMMAND…: one expectation
  local words=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    passed=$((passed + 1)) && echo "ok    $words"
  else
    failed=$((failed + 1)) && echo "FAIL  $words" && tail -n 8 "$work/out"
  fi
}
no() { ! "$@"; }
is() { [ "$1" = "$2" ] || { echo "is \"$1\", not \"$2\"" && false; }; }
has() { case $1 in *"$2"*) ;; *) echo "\"$2\" is not in: $1" && false ;; esac; }
soon() { # soon COMMAND…: within 30 s
  local turn
  for ((turn = 0; turn < 150; turn++)); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
  echo "not within 30 s: $*" && "$@"
}
seconds_since() { awk "BEGIN { printf \"%.1f s\", $(date +%s.%N) - $1 }"; }
sum_up() {
  echo
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}

inside() { podman exec "$name" "$@"; }
of_service() { inside systemctl show "${2:-wxgate.service}" -p "$1" --value; }
journal() { inside journalctl --no-pager -u wxgate.service "$@"; }
# Clients have the container's loopback, which is all of a network that it has.
client() { nsenter -t "$leader" -n "$@"; }
# load ARGUMENTS-OF-load.py-AFTER-CA…
load() { client python3 "$machine/load.py" 443 "$work/ca.crt" "$@"; }
verified() { load "${1:-1}" "${2:-/wechat}" "${3:-tokenOfTheTest}"; }

certificates() (
  cd "$work" || exit
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=test authority' -keyout ca.key -out ca.crt \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=wx.test' -keyout tls.key -out tls.csr
  printf 'subjectAltName=DNS:wx.test\n' >extensions
  openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 20 -extfile extensions -out leaf.crt
  cat leaf.crt ca.crt >tls.crt
)

boot() { # boot IMAGE
  local options=(--cap-add 'SYS_ADMIN,NET_ADMIN,SYS_PTRACE' --security-opt seccomp=unconfined --security-opt unmask=ALL)
  # systemd mounts credentials in a namespace of its own and counts on a shared root to pass them on; podman's is private.
  podman run --detach --pull=never --name "$name" --systemd=always "${options[@]}" --network none "$1" \
    sh -c 'mount --make-rshared / && exec /sbin/init' >/dev/null || exit 2
  booted
  inside systemctl --version | head -n 1
}
booted() {
  leader=$(podman inspect "$name" --format '{{.State.Pid}}')
  soon inside systemctl is-system-running --quiet
}

install_secrets() {
  inside install -d -m 0755 /etc/wxgate
  inside install -d -m 0700 /etc/wxgate/secrets
  for file in tls.crt tls.key; do podman cp "$work/$file" "$name:/etc/wxgate/secrets/$file"; done
  inside sh -c 'printf "tokenOfTheTest\n" >/etc/wxgate/secrets/wechat-token; chmod 0600 /etc/wxgate/secrets/*'
}

# The host's id of the service's process.
pid_outside() {
  local pid status
  pid=$(of_service MainPID)
  for status in /proc/[0-9]*/status; do
    [ "$(stat -Lc %i "${status%/*}/ns/pid" 2>/dev/null)" = "$(stat -Lc %i "/proc/$leader/ns/pid")" ] || continue
    awk -v pid="$pid" '$1 == "NSpid:" && $NF == pid { found = 1 } END { exit !found }' "$status" && basename "${status%/*}" && return
  done
}
