#!/bin/sh
# Builds kubectl-login and installs it, with links for the two names it stands in for.
set -eu

usage() {
    cat <<'TEXT'
Usage: ./install.sh [--prefix DIR] [--binary FILE]

Builds kubectl-login with cargo and installs it to DIR/bin, where kubectl finds it as `kubectl login`.
Links kubelogin and kubectl-oidc_login to it; a file of those names that is there already is left alone.
Running it again brings the installation up to date.

  --prefix DIR    where to install (default: ~/.local)
  --binary FILE   install this binary instead of building one
  -h, --help      show this text
TEXT
}

# Every error in two halves: what happened, what to do next.
fail() {
    printf 'Error: %s\nNext:  %s\n' "$1" "$2" >&2
    exit "${3:-1}"
}

say() {
    printf '%s\n' "$1"
}

temporary=
remove_temporary() {
    [ -z "$temporary" ] || rm -f -- "$temporary"
}
trap remove_temporary EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

prefix=
binary=
while [ $# -gt 0 ]; do
    case $1 in
    --prefix | --binary)
        if [ $# -lt 2 ] || [ -z "$2" ]; then
            fail "$1 needs a value" "./install.sh --help shows how it is written." 2
        fi
        case $1 in --prefix) prefix=$2 ;; *) binary=$2 ;; esac
        shift
        ;;
    --prefix=?*) prefix=${1#*=} ;;
    --binary=?*) binary=${1#*=} ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) fail "there is no option $1" "./install.sh --help lists them." 2 ;;
    esac
    shift
done

if [ -z "$prefix" ]; then
    [ -n "${HOME:-}" ] || fail "HOME is not set, so there is no ~/.local" "Say where to install: ./install.sh --prefix DIR"
    prefix=$HOME/.local
fi
case $prefix in
/*) ;;
*) prefix=$PWD/$prefix ;;
esac
bin=$prefix/bin

build() {
    source=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
    [ -f "$source/Cargo.toml" ] ||
        fail "there is nothing to build in $source" "Run the install.sh of a checkout, or give a binary: --binary FILE"
    command -v cargo >/dev/null 2>&1 ||
        fail "cargo is not on your PATH" "Install Rust 1.90 or newer (https://rustup.rs), or give a binary: --binary FILE"
    target=${CARGO_TARGET_DIR:-$source/target}
    say "Building kubectl-login (a few minutes the first time)"
    # For this machine, into a known folder, whatever cargo is set up to do otherwise.
    (
        unset CARGO_BUILD_TARGET
        cargo build --release --locked --package kubectl-login --manifest-path "$source/Cargo.toml" --target-dir "$target"
    ) || fail "the build failed" "Read cargo's message above. It needs Rust 1.90 or newer (rustup update) and a C compiler (cc)."
    binary=$target/release/kubectl-login
    [ -f "$binary" ] ||
        fail "the build left no $binary" "Find the binary that cargo made, then: ./install.sh --binary FILE"
}

# Whether a file is some version of this program: all of them know this variable, and nothing else does.
is_ours() {
    LC_ALL=C grep -q KUBECTL_LOGIN_PROMPT "$1" 2>/dev/null
}

install_binary() {
    place=$bin/kubectl-login
    [ ! -d "$place" ] || fail "$place is a folder" "Move it away, or install elsewhere: ./install.sh --prefix DIR"
    if { [ -e "$place" ] || [ -L "$place" ]; } && ! is_ours "$place"; then
        fail "$place is there already and is another program" "Move it away, or install elsewhere: ./install.sh --prefix DIR"
    fi
    # Copied beside its place and renamed over it: a kubectl that runs at this moment finds the old one or the new one.
    temporary=$(mktemp "$bin/.kubectl-login.XXXXXX" 2>/dev/null) ||
        fail "nothing can be written to $bin" "Check its permissions, or install elsewhere: ./install.sh --prefix DIR"
    cp -- "$binary" "$temporary" || fail "$binary cannot be copied to $bin" "Check permissions and free space, then run it again."
    chmod 755 "$temporary"
    version=$("$temporary" version 2>/dev/null) || version=
    case $version in
    "kubectl-login "*) ;;
    *) fail "$binary does not run here as kubectl-login" "Build it on this machine: ./install.sh without --binary" ;;
    esac
    mv -f -- "$temporary" "$place" ||
        fail "$place cannot be replaced" "Check its permissions, or install elsewhere: ./install.sh --prefix DIR"
    temporary=
    say "Installed $version as $place"
}

link() {
    place=$bin/$1
    if [ -L "$place" ]; then
        points_to=$(readlink "$place")
        case $points_to in
        kubectl-login | "$bin/kubectl-login") say "Linked    $place (it was already)" ;;
        *) say "Left alone: $place is a link to $points_to" ;;
        esac
    elif [ -e "$place" ]; then
        say "Left alone: $place is another program's"
    else
        ln -s kubectl-login "$place" || fail "$place cannot be made" "Check the permissions of $bin, then run it again."
        say "Linked    $place"
    fi
}

# What a name means to kubectl and the shell once this is done.
check_path() {
    case :$PATH: in
    *:"$bin":*) ;;
    *)
        say ""
        say "$bin is not on your PATH, so kubectl does not find it yet. Add this line to your shell's profile:"
        say "  export PATH=\"$bin:\$PATH\""
        return
        ;;
    esac
    for name in kubectl-login kubelogin kubectl-oidc_login; do
        found=$(command -v "$name" 2>/dev/null) || continue
        if [ "$found" != "$bin/$name" ]; then
            say "Note: $name on your PATH is $found, which comes before $bin."
        fi
    done
}

if [ -z "$binary" ]; then
    build
fi
[ -f "$binary" ] || fail "there is no file $binary" "Give the path of a kubectl-login binary, or leave --binary out to build one."
mkdir -p -- "$bin" || fail "the folder $bin cannot be made" "Check its permissions, or install elsewhere: ./install.sh --prefix DIR"
install_binary
link kubelogin
link kubectl-oidc_login
check_path
