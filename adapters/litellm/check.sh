#!/usr/bin/env bash
# Holds the adapter to its lints and types, then runs its tests beside each release of LiteLLM that is named.
#
#   ./check.sh [RELEASE ...]     default: the oldest and the newest release of the Python core, and the newest of the native one
#
#   FLEETS   the releases of which fleets are tested as well, `1.85.0` unless it says others: each takes minutes
#
# Needs uv. Environments are made once, under the workspace's `target`.
set -euo pipefail
# A failed install must end the script also inside `$(...)`.
shopt -s inherit_errexit
cd "$(dirname "$0")"
environments=$PWD/../../target/litellm

environment() { # NAME PACKAGE...: prints the Python of an environment with these packages
    local python=$environments/$1/bin/python
    if [ ! -e "$environments/$1/whole" ]; then
        uv venv --quiet --clear "$environments/$1"
        # Some releases pin packages to versions that no registry serves.
        cat >"$environments/$1/overrides" <<'END'
certifi>=2025
litellm-proxy-extras>=0.4.0
litellm-enterprise>=0.1
litellm-proxy ; sys_platform == "never"
END
        uv pip install --quiet --python "$python" --override "$environments/$1/overrides" "${@:2}"
        touch "$environments/$1/whole"
    fi
    echo "$python"
}

mapfile -t tools < <(sed -n 's/^dev = \[\(.*\)\]$/\1/p' pyproject.toml | tr -d '" ' | tr ',' '\n')
python=$(environment tools "${tools[@]}")
"$python" -m ruff format --check .
"$python" -m ruff check .
"$python" -m mypy
"$python" -m pytest --quiet

pytest=$(printf '%s\n' "${tools[@]}" | grep '^pytest')
[ $# -gt 0 ] || set -- 1.85.0 1.109.1 1.110.2
for release in "$@"; do
    echo "litellm $release"
    python=$(environment "$release" "litellm==$release" "$pytest")
    "$python" -m pytest --quiet
done
for release in ${FLEETS:-1.85.0}; do
    echo "a fleet of litellm $release"
    # The replicas of a fleet are those of the proxy, which needs more packages.
    python=$(environment "$release-proxy" "litellm[proxy]==$release" "$pytest")
    "$python" -m pytest --quiet tests/test_fleet.py tests/test_fleet_store.py
done
