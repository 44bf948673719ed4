#!/usr/bin/env bash
# Prepares what the project's commands need; a step that is done already costs nothing.
#
#   setup.sh venv               the virtual environment .venv with the versions of constraints.txt
#   setup.sh programs NAME...   Debian's packages of these programs, installed as root
#
# Without root it says what to install and stops.
set -euo pipefail
cd "$(dirname "$0")/.."

install() { # PACKAGE...: nothing that belongs to a package is started, no running service is touched
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "Not installed: $*. On Debian and Ubuntu, run as root:" >&2
        echo "    apt-get update && apt-get install --no-install-recommends $*" >&2
        exit 1
    fi
    echo "Installing $* …"
    local quiet inert name
    inert=$(mktemp -d)
    quiet=$(mktemp)
    chmod 755 "$inert"
    # The packages start and enable their services by these programs, PostgreSQL's also makes a cluster; we want only
    # the binaries.
    for name in invoke-rc.d deb-systemd-invoke deb-systemd-helper update-rc.d pg_createcluster; do
        printf '#!/bin/sh\nexit 0\n' >"$inert/$name"
        chmod 755 "$inert/$name"
    done
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        -o "DPkg::Path=$inert:/usr/sbin:/usr/bin:/sbin:/bin" "$@"; } >"$quiet" 2>&1; then
        cat "$quiet" >&2
        rm -rf "$inert" "$quiet"
        exit 1
    fi
    rm -rf "$inert" "$quiet"
}

find_python() { # the first interpreter that is new enough, those that can make environments first
    local candidate test
    for test in 'import ensurepip, venv, sys; assert sys.version_info >= (3, 11)' \
        'import sys; assert sys.version_info >= (3, 11)'; do
        for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14}; do
            if "$candidate" -c "$test" 2>/dev/null; then
                echo "$candidate"
                return
            fi
        done
    done
}

venv() {
    local python
    if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
        python=$(find_python)
        if [ -z "$python" ]; then
            install python3 python3-venv
            python=$(find_python)
            [ -n "$python" ] || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
        fi
        "$python" -c 'import ensurepip, venv' 2>/dev/null || install python3-venv
        echo "Making .venv …"
        "$python" -m venv --clear .venv
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip hatchling editables
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
        --no-build-isolation --editable '.[all]' --group dev
    touch .venv/installed
}

programs() {
    local name missing=()
    for name in "$@"; do
        case $name in
        alertmanager) command -v prometheus-alertmanager || command -v alertmanager || missing+=(prometheus-alertmanager) ;;
        postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' || command -v initdb || missing+=(postgresql) ;;
        *) command -v "$name" || missing+=("$name") ;;
        esac >/dev/null
    done
    [ ${#missing[@]} -eq 0 ] || install "${missing[@]}"
}

"$@"
