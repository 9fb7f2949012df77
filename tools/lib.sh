# What tools/run, tools/test, tools/get-data and .ci/run share. Sourced by bash scripts under `set -euo pipefail`.
# shellcheck shell=bash disable=SC2034

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

build_packages=(cmake ninja-build gcc libc6-dev pkg-config zlib1g-dev libsqlite3-dev libjansson-dev
    libopenblas-dev libdnnl-dev liblbfgs-dev libcerf-dev librandom123-dev nettle-dev libcmocka-dev)
test_packages=(g++ sqlite3 python3 curl ca-certificates)

# The folder of nvcc where CUDA's compiler is: on PATH, where CUDA_HOME or CUDA_PATH say, or in the usual place.
find_nvcc() {
    local folder
    for folder in "$(dirname "$(command -v nvcc || echo none/)")" "${CUDA_HOME:-}/bin" "${CUDA_PATH:-}/bin" /usr/local/cuda/bin; do
        if [ -x "$folder/nvcc" ]; then
            printf '%s\n' "$folder"
            return
        fi
    done
    return 1
}
# The CUDA backend is built where nvcc is; nvcc compiles its host code with g++.
if find_nvcc >/dev/null; then
    build_packages+=(g++)
    # Code for the GPUs of this machine alone, where it has any: that saves minutes.
    if [ -z "${NASRUN_CUDA_ARCHITECTURES:-}" ] &&
        capabilities=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null); then
        NASRUN_CUDA_ARCHITECTURES=$(printf '%s\n' "$capabilities" | tr -d . | sort -nu | paste -sd ';')
        export NASRUN_CUDA_ARCHITECTURES
    fi
fi

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { say "$@"; exit 3; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || die "needs root or sudo for: $*"
        sudo "$@"
    fi
}

# Runs a command, showing its output only when it fails.
quietly() {
    local output status=0
    output=$(mktemp)
    "$@" >"$output" 2>&1 || status=$?
    [ "$status" -eq 0 ] || cat "$output" >&2
    rm -f "$output"
    return "$status"
}

# Installs those of the Debian packages that are missing. Touches no network when none is.
need_packages() {
    local missing=() package
    if ! command -v dpkg-query >/dev/null; then
        say "this is no Debian: see to it that these or their like are installed: $*"
        return
    fi
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "installing Debian packages: ${missing[*]}"
    quietly as_root apt-get update || die "apt-get update failed; the packages above are needed"
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" ||
        die "these packages could not be installed: ${missing[*]}"
}

# build NAME CMAKE_ARGS...: configures build/NAME where that is not done yet, and builds what changed.
build() {
    local folder=build/$1 note
    shift
    cd "$project" || die "$project is gone"
    (sleep 2 >/dev/null 2>&1 && say "building into $folder: minutes the first time, then seconds") &
    note=$!
    [ -f "$folder/build.ninja" ] || quietly cmake -B "$folder" "$@" || die "cmake failed: see above"
    quietly cmake --build "$folder" || die "the build failed: see above"
    kill "$note" 2>/dev/null || true
}

# Prints the folder of a data set, looking where the program looks; the first that exists.
find_set() {
    local place
    for place in ${NASRUN_DATA:+"$NASRUN_DATA"} data "$project/data" /usr/share/datasets; do
        if [ -e "$place/$1" ]; then
            printf '%s\n' "$place/$1"
            return
        fi
    done
    return 1
}

is_known_set() { grep -q " $1/" "$project/tools/checksums"; }

# Compares a folder's files, unpacked, with tools/checksums; says what differs.
check_set() {
    local name=$1 folder=$2 bytes sum path file found
    while read -r bytes sum path; do
        [ "${path%/*}" = "$name" ] || continue
        file=$folder/${path#*/}
        [ -e "$file" ] || file=$file.gz
        if [ ! -e "$file" ]; then
            say "$file: missing"
            return 1
        fi
        found=$(gzip -cdf <"$file" 2>/dev/null | sha256sum) || found=damaged
        if [ "${found%% *}" != "$sum" ]; then
            say "$file: unpacked, $(gzip -cdf <"$file" 2>/dev/null | wc -c || true) bytes with another SHA-256 than" \
                "the expected $bytes bytes of $name"
            return 1
        fi
    done <"$project/tools/checksums"
}
