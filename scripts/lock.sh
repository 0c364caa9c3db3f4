#!/bin/sh
# Writes the lock files: every version with its hashes, the same on every platform and index.
# usage: lock.sh UV [--upgrade]
set -eu
uv=$1
shift

compile() {
    # --no-config: an index or constraint of this machine must not end up in a file that others install from.
    "$uv" pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "make lock" "$@"
}

compile "$@" pyproject.toml --output-file requirements.lock
compile "$@" pyproject.toml --group dev --constraint requirements.lock --output-file requirements-dev.lock
