#!/usr/bin/env bash
# servers_test RACE_HOME RACE_EPOLL RACE_LOAD: the servers of both programs give the client
# what it wants, on one worker and on two, and the client notices when they do not.

set -euo pipefail

readonly LOAD=$3
server=
trap '[[ -z $server ]] || kill "$server"' EXIT

# answer PROGRAM SERVER THREADS KIND CONNECTIONS BYTES: prints what the client says.
answer() {
  coproc SERVER { exec "$1" "$2" 32768 "$3"; }
  server=$SERVER_PID
  local line
  read -r -u "${SERVER[0]}" line
  timeout 30 "$LOAD" "$4" "${line##*:}" "$server" "$5" "$6" 100
  kill "$server"
  wait "$server" || true
  server=
}

# expect WANTED PROGRAM SERVER THREADS KIND CONNECTIONS BYTES
expect() {
  local wanted=$1 said
  shift
  said=$(answer "$@")
  if [[ $said != *" check=$wanted" ]]; then
    echo "$*: $said"
    exit 1
  fi
}

for program in "$1" "$2"; do
  for threads in 1 2; do
    expect ok "$program" serve_echo "$threads" echo 100 64
    # More than a buffer holds, and than a socket takes at once.
    expect ok "$program" serve_echo "$threads" echo 10 65536
    expect ok "$program" serve_http "$threads" http 100 1
    expect ok "$program" serve_echo "$threads" idle 100 64
    expect wrong "$program" serve_echo "$threads" http 1 1
  done
done
