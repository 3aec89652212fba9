#!/usr/bin/env bash
# Installs what the tests need, then formats (check only), builds and tests everything. One command, from a fresh clone.
set -euo pipefail
cd "$(dirname "$0")/.."
. Examples/setup/tools.sh

need_swift
need /usr/include/sqlite3.h libsqlite3-dev
need /usr/lib/x86_64-linux-gnu/libcurl.so.4 libcurl4
need nginx nginx-light
need openssl openssl
need sqlite3 sqlite3
need python3 python3
install_missing

step() { printf '\n== %s\n' "$*"; }

step "format"
swift format lint --strict --recursive Sources Tests Package.swift

step "build"
swift build --build-tests
swift build -c release --product offpeak

# Part by part: simulations take every core for a minute, and tests that watch real sockets and clocks would starve beside
# them, or beside each other. (The command tests keep themselves to a few at once.)
export OFFPEAK_BINARY="$(swift build -c release --show-bin-path)/offpeak"

step "test: decisions, formats, store, simulations"
swift test --skip-build --parallel --skip '^(OffpeakTransportTests|OffpeakRehearsalTests|CommandTests)\.'

step "test: the transport, with real sockets and clocks"
swift test --skip-build --no-parallel --filter '^OffpeakTransportTests\.'

step "test: the rehearsed provider"
swift test --skip-build --no-parallel --filter '^OffpeakRehearsalTests\.'

step "test: the program as its users see it"
swift test --skip-build --parallel --filter '^CommandTests\.'
