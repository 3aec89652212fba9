# Sourced by the quickstart and the tests: installs what is missing on Debian, and says so.

# need COMMAND-OR-FILE PACKAGE...: remembers the packages if the command or file is not there.
missing_packages=()
need() {
    local what="$1"
    shift
    case "$what" in
        /*) [ -e "$what" ] || missing_packages+=("$@") ;;
        *) command -v "$what" >/dev/null 2>&1 || missing_packages+=("$@") ;;
    esac
}

# install_missing: installs what `need` found, with apt-get; as root, or by sudo.
install_missing() {
    [ "${#missing_packages[@]}" -eq 0 ] && return 0
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "please install: ${missing_packages[*]}" >&2; exit 2; }
        as_root=(sudo)
    fi
    echo "installing: ${missing_packages[*]}" >&2
    "${as_root[@]}" apt-get update -qq >&2
    # Services that a package brings must not start by themselves: the tests start their own.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 "${as_root[@]}" \
        apt-get install -y -qq --no-install-recommends "${missing_packages[@]}" >/dev/null
    missing_packages=()
}

# build_offpeak: installs what is missing, builds, and sets `offpeak` to the program. In the repository's own folder.
build_offpeak() {
    need_swift
    need /usr/include/sqlite3.h libsqlite3-dev
    need /usr/lib/x86_64-linux-gnu/libcurl.so.4 libcurl4
    install_missing
    echo "building (the first time takes a few minutes) …"
    swift build -c release --product offpeak >/dev/null
    offpeak="$PWD/.build/release/offpeak"
}

# rehearse_example FOLDER: starts an example's provider as `$provider`, and puts the example's configuration, with the
# provider's address in it, into the present folder. The caller ends it.
rehearse_example() {
    "$offpeak" --quiet rehearse --port 0 --profile "$1/provider.json5" >address &
    provider=$!
    until [ -s address ]; do
        kill -0 "$provider" 2>/dev/null || { echo "the rehearsed provider did not start" >&2; exit 2; }
        sleep 0.1
    done
    sed "s|PROVIDER_URL|$(cat address)|" "$1/offpeak.json5" >offpeak.json5
}

# need_swift: the one thing that is not installed for you.
need_swift() {
    command -v swift >/dev/null 2>&1 && return 0
    echo "offpeak needs a Swift 6.2 or later toolchain on the PATH: see https://www.swift.org/install/linux/" >&2
    exit 2
}
