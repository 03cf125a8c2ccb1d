# What the scripts beside this file share: each sources it first. It goes to the root of the repository, makes `$out`, which is
# gone in the end, and knows where tools are kept.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$(mktemp -d)
trap 'rm -rf "$out"; times' EXIT
export CARGO_TERM_COLOR=never PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
routeproof=target/release/routeproof
tools=${ROUTEPROOF_TOOLS:-$HOME/.cache/routeproof-tools}
mkdir -p "$tools"
export PATH="$tools/bin:$PATH"

# The steps so far, and the second in which each began.
steps=()
began=()
step() {
    printf '\n== %s\n' "$*"
    steps+=("$*")
    began+=("$SECONDS")
}

# Prints how long each step took, also where the last one failed.
times() {
    local number now=$SECONDS
    [ ${#steps[@]} -gt 0 ] || return 0
    printf '\n== seconds of each step\n'
    for number in "${!steps[@]}"; do
        printf '%6d  %s\n' $((${began[number + 1]:-$now} - began[number])) "${steps[number]}"
    done
    printf '%6d  in all\n' "$now"
}

# Fails unless the command ends with that exit code, or one of those: `expect_exit '0 1' COMMAND`.
expect_exit() {
    local wanted=$1 code=0
    shift
    "$@" || code=$?
    case " $wanted " in
    *" $code "*) ;;
    *)
        echo "\`$*\` ended with $code, and one of $wanted is expected" >&2
        exit 1
        ;;
    esac
}

# Fails unless a text is in a file.
expect_text() {
    grep -qE -- "$1" "$2" || { echo "$2 does not say \`$1\`" >&2; exit 1; }
}

# Fails unless the table of what `routeproof explore --table` finds with these flags is as the book has it.
fleet_table() {
    local name=$1
    shift
    expect_exit 1 "$routeproof" explore --table --format markdown --converges "$@" >"$out/$name.md"
    diff -u "docs/src/fleet/$name.md" "$out/$name.md"
}

# Installs a tool of Rust's, with the flags of `cargo install` behind its name, unless it is there. None of them has much to
# do here: it is built quickly, and not to be quick.
tool() {
    local name=$1
    shift
    command -v "$name" >/dev/null || CARGO_PROFILE_DEV_DEBUG=none cargo install --quiet --locked --debug --root "$tools" "$name" "$@"
}

# Runs a command while a PostgreSQL server of its own is up, and tells it the directory of its socket: `with_postgres COMMAND`.
with_postgres() {
    program pg_ctlcluster postgresql
    local server
    server=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort -V | tail -n 1)
    (
        data=$(as_postgres mktemp -d)
        trap 'as_postgres "$server/pg_ctl" --silent --pgdata "$data/cluster" --mode immediate stop || true; rm -rf "$data"' EXIT
        as_postgres "$server/initdb" --pgdata "$data/cluster" --auth trust --username postgres >"$out/initdb.txt"
        as_postgres "$server/pg_ctl" --silent --wait --pgdata "$data/cluster" --log "$data/log" \
            --options "-c unix_socket_directories=$data -c listen_addresses=''" start || { cat "$data/log" >&2; exit 1; }
        "$@" "$data"
    )
}

# The server refuses to be run by root.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then runuser --user postgres -- "$@"; else "$@"; fi
}

# Installs a program of Debian's, from the package of its name or another, unless it is there.
program() {
    command -v "$1" >/dev/null && return
    local root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo)
    "${root[@]}" apt-get update --quiet=2
    "${root[@]}" apt-get install --quiet=2 --yes --no-install-recommends "${2:-$1}" >/dev/null
}
