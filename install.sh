#!/bin/sh
# Installs kubectl-login, with links for the kubelogin tools that it replaces and shell completion; and uninstalls it.
set -eu

usage() {
    cat <<'TEXT'
Installs kubectl-login to DIR/bin, where kubectl finds it as `kubectl login`.

Usage:
  ./install.sh [install] [--prefix DIR] [--binary FILE] [--force-links]
               [--no-completion]
  ./install.sh uninstall [--prefix DIR] [--keep-sign-ins]

install builds the program with cargo, links kubelogin and kubectl-oidc_login
to it, and sets up completion for bash, zsh and fish. It does not replace files
that belong to another program. Run it again to update.

uninstall logs out of every session that is stored in your home folder,
revokes it if the issuer supports that, and removes what install created.

  --prefix DIR      where to install (default: ~/.local)
  --binary FILE     install this binary instead of building one
  --force-links     if another program has the name of a link, move it to
                    NAME.before-kubectl-login; uninstall restores it
  --no-completion   skip completion, and remove what was set up before
  --keep-sign-ins   keep stored sessions for another installation
  -h, --help        show this text
TEXT
}

# Every error has two halves: what happened, and what to do next.
fail() {
    printf 'Error: %s\nNext:  %s\n' "$1" "$2" >&2
    exit "${3:-1}"
}

# The same for problems that do not stop the script.
warn() {
    printf 'Warning: %s\nNext:    %s\n' "$1" "$2" >&2
}

say() {
    printf '%s\n' "$1"
}

# A path as it has to be written between double quotes in a shell.
escaped() {
    printf '%s\n' "$1" | LC_ALL=C sed 's/[\\"$`]/\\&/g'
}

temporary=
remove_temporary() {
    [ -z "$temporary" ] || rm -f -- "$temporary"
}
trap remove_temporary EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

exists() {
    [ -e "$1" ] || [ -L "$1" ]
}

# Whether a file is some version of this program: all versions contain this variable and this format. One of the two is not
# enough, because a user's script around this program may set the variable. A link belongs to Homebrew, Nix or the user,
# because install copies the program.
is_ours() {
    [ ! -L "$1" ] && [ -f "$1" ] && contains "$1" KUBECTL_LOGIN_PROMPT && contains "$1" client.authentication.k8s.io
}

# Prints why uninstall must not run the installed file, or nothing if it may. A file that another user owns (as under sudo)
# or that install did not create could be any program, whatever text it contains.
reason_not_to_run() {
    if ! [ -O "$program" ]; then
        printf '%s' "belongs to another user"
    elif [ ! -f "$record" ] || [ -L "$record" ] || [ "$(cat -- "$record")" != "$(checksum "$program")" ]; then
        printf '%s' "is not the file that install put there"
    fi
}

# Detects a changed file. It does not prevent forgery: a program that can change the file can change the record too.
checksum() {
    cksum <"$1"
}

# Some versions of grep stop at a zero byte.
contains() {
    LC_ALL=C tr '\000' '\n' 2>/dev/null <"$1" | LC_ALL=C grep -qF "$2"
}

# Whether `$1` is a link to `$2` in the same folder.
links_to() {
    [ -L "$1" ] || return 1
    case $(readlink "$1") in
    "$2" | "${1%/*}/$2") ;;
    *) return 1 ;;
    esac
}

left_alone() {
    if [ -L "$1" ]; then
        say "Left alone: $1 is a link to $(readlink "$1")"
    else
        say "Left alone: $1 belongs to another program"
    fi
}

# Replaces a file in one step, by renaming a new one over it.
write_file() {
    if {
        temporary=$(mktemp "${1%/*}/.kubectl-login.XXXXXX") && printf '%s\n' "$2" >"$temporary" &&
            chmod 644 "$temporary" && mv -f -- "$temporary" "$1"
    } 2>/dev/null; then
        temporary=
        return
    fi
    remove_temporary
    temporary=
    return 1
}

# ---- folders that install creates: recorded, because uninstall removes only these

# Prints the parts of a path that do not exist, from PREFIX on.
missing_parts() {
    level=$1
    while [ "$level" != "${prefix%/*}" ] && ! exists "$level"; do
        printf '%s\n' "$level"
        level=${level%/*}
    done
}

recorded() {
    [ ! -f "$manifest" ] || [ -L "$manifest" ] || cat -- "$manifest"
}

# Adds folders to those that earlier installations recorded.
record_folders() {
    [ -n "$1" ] || return 0
    if [ -d "$manifest" ] || ! recorded >/dev/null 2>&1 ||
        ! new=$({ recorded && printf '%s\n' "$1" && missing_parts "${manifest%/*}"; } | LC_ALL=C sort -u) ||
        ! mkdir -p -- "${manifest%/*}" 2>/dev/null || ! write_file "$manifest" "$new"; then
        warn "the created folders cannot be recorded in ${manifest%/*}" \
            "uninstall will leave them behind, empty. Remove them by hand then."
    fi
}

# Prints the recorded folders that may be removed, deepest first. The record could have been changed to name any
# folder, also through .. or a link, so everything outside PREFIX is skipped. The home folder is never removed.
removable_folders() {
    root=$(CDPATH='' cd -- "${prefix:-/}" 2>/dev/null && pwd -P) || return 0
    home=$(CDPATH='' cd -- "${HOME:-/}" 2>/dev/null && pwd -P) || home=
    recorded | while IFS= read -r folder; do
        case $folder in /*) ;; *) continue ;; esac
        [ ! -L "$folder" ] || continue
        folder=$(CDPATH='' cd -- "$folder" 2>/dev/null && pwd -P) || continue
        case $folder/ in
        "$home/") ;;
        "${root%/}"/*) printf '%s\n' "$folder" ;;
        esac
    done | LC_ALL=C sort -r
}

# ---- install

build() {
    source=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
    [ -f "$source/Cargo.toml" ] ||
        fail "$source does not contain the source code" \
            "Run the install.sh of a checkout, or install a binary: ./install.sh --binary FILE"
    command -v cargo >/dev/null 2>&1 ||
        fail "cargo is not on your PATH" \
            "Install Rust 1.90 or newer (https://rustup.rs), or install a binary: ./install.sh --binary FILE"
    target=${CARGO_TARGET_DIR:-$source/target}
    say "Building kubectl-login (the first time takes about four minutes)"
    # For this machine, into a known folder, whatever cargo's configuration says.
    (
        unset CARGO_BUILD_TARGET
        cargo build --release --locked --package kubectl-login --manifest-path "$source/Cargo.toml" --target-dir "$target"
    ) || fail "the build failed" \
        "Read cargo's message above, and check that Rust 1.90 or newer and a C compiler (cc) are installed."
    binary=$target/release/kubectl-login
    [ -f "$binary" ] ||
        fail "the build did not create $binary" "Find the binary that cargo built, then: ./install.sh --binary FILE"
}

# Fails before anything is changed if the installation could not be completed.
check_places() {
    [ ! -L "$program" ] || fail "$program is a link to $(readlink "$program")" \
        "Remove it with the tool that created it (Homebrew, Nix, stow), or install elsewhere: ./install.sh --prefix DIR"
    [ ! -d "$program" ] || fail "$program is a folder" "Move it away, or install elsewhere: ./install.sh --prefix DIR"
    if exists "$program" && ! is_ours "$program"; then
        fail "$program already exists and is another program" \
            "Move it away, or install elsewhere: ./install.sh --prefix DIR"
    fi
    [ -n "$force" ] || return 0
    for name in $names $completion_names; do
        if exists "$bin/$name" && ! links_to "$bin/$name" kubectl-login && exists "$bin/$name.$aside"; then
            fail "$bin/$name belongs to another program, and $name.$aside exists already" \
                "Move one of the two away, then run install.sh again."
        fi
    done
}

install_binary() {
    folders=$(
        missing_parts "$bin"
        missing_parts "${record%/*}"
        # The program creates this one, for its sessions.
        [ "$prefix" != "${HOME:-}/.local" ] || missing_parts "$prefix/state"
    )
    mkdir -p -- "$bin" ||
        fail "the folder $bin cannot be created" \
            "Check its permissions, or install elsewhere: ./install.sh --prefix DIR"
    record_folders "$folders"
    # Copied, then renamed: a kubectl that is running finds either the old file or the new one.
    temporary=$(mktemp "$bin/.kubectl-login.XXXXXX" 2>/dev/null) ||
        fail "$bin cannot be written to" "Check its permissions, or install elsewhere: ./install.sh --prefix DIR"
    cp -- "$binary" "$temporary" || fail "$binary cannot be copied to $bin" \
        "Check permissions and free space, then run install.sh again."
    chmod 755 "$temporary"
    version=$("$temporary" version 2>/dev/null) || version=
    case $version in
    "kubectl-login "*) ;;
    *) fail "$binary does not run here as kubectl-login" "Build it on this machine: ./install.sh" ;;
    esac
    mv -f -- "$temporary" "$program" ||
        fail "$program cannot be replaced" "Check its permissions, or install elsewhere: ./install.sh --prefix DIR"
    temporary=
    # Without a record, uninstall does not run the program to log out, and warns about that.
    write_file "$record" "$(checksum "$program")" || :
    say "Installed $version as $program"
}

foreign_links=
link() {
    if links_to "$bin/$1" kubectl-login; then
        say "Linked    $bin/$1 (already done)"
        return
    fi
    if exists "$bin/$1" && [ -z "$force" ]; then
        case $names in *"$1"*) foreign_links=1 ;; esac
        left_alone "$bin/$1"
        return
    fi
    if exists "$bin/$1"; then
        mv -- "$bin/$1" "$bin/$1.$aside" ||
            fail "$bin/$1 cannot be moved aside" "Check the permissions of $bin, then run install.sh again."
        say "Moved     $bin/$1 to $1.$aside"
    fi
    ln -s kubectl-login "$bin/$1" || fail "$bin/$1 cannot be created" \
        "Check the permissions of $bin, then run install.sh again."
    say "Linked    $bin/$1"
}

# ---- completion

completion_file() {
    case $1 in
    bash) printf '%s' "$share/bash-completion/completions/kubectl-login" ;;
    zsh) printf '%s' "$share/zsh/site-functions/_kubectl-login" ;;
    fish) printf '%s' "$share/fish/vendor_completions.d/kubectl-login.fish" ;;
    esac
}

# A link to that file under kubelogin's name: bash and fish look for completion by the name of the command.
completion_link() {
    case $1 in
    bash) printf '%s' "$share/bash-completion/completions/kubelogin" ;;
    fish) printf '%s' "$share/fish/vendor_completions.d/kubelogin.fish" ;;
    esac
}

# The last line of the files that this script writes. It does not touch a file without it.
marker='# Written by the install.sh of kubectl-login, which replaces and removes it.'
is_our_completion() {
    [ ! -L "$1" ] && [ -f "$1" ] && grep -qxF "$marker" "$1" 2>/dev/null
}

# kubectl runs kubectl_complete-NAME with the command line so far. A program that does not know that name would run it as a
# command, even `logout --all`. So the link is created only if the program supports completion.
install_completion() {
    script=
    [ -z "$complete" ] || script=$(completion_script bash)
    if [ -z "$script" ]; then
        for name in $completion_names; do
            unlink_ours "$bin/$name" kubectl-login
            restore "$bin/$name"
        done
        remove_completion_files
        [ -z "$complete" ] || say "Without completion, which this version of kubectl-login does not support."
        return
    fi
    for name in $completion_names; do
        # Not for another program's `kubectl oidc-login`.
        if links_to "$bin/kubectl-${name#kubectl_complete-}" kubectl-login || [ "$name" = kubectl_complete-login ]; then
            link "$name"
        else
            unlink_ours "$bin/$name" kubectl-login
        fi
    done
    served=
    for shell in bash zsh fish; do
        script=$(completion_script "$shell")
        [ -z "$script" ] || ! write_completion "$shell" || served="$served${served:+, }$shell"
    done
    [ -n "$served" ] || return 0
    say "Completion for $served is in $share"
    explain_completion
}

completion_script() {
    script=$(KUBECTL_LOGIN_PROMPT=never "$program" completion "$1" 2>/dev/null </dev/null) || script=
    case $script in *kubectl-login*) printf '%s' "$script" ;; esac
}

write_completion() {
    file=$(completion_file "$1")
    if exists "$file" && ! is_our_completion "$file"; then
        say "Left alone: $file was not written by this script"
        return 1
    fi
    into=${file%/*}
    folders=$(missing_parts "$into")
    if mkdir -p -- "$into" 2>/dev/null; then
        record_folders "$folders"
    fi
    if ! write_file "$file" "$script
$marker"; then
        warn "completion for $1 cannot be written to $into" \
            "Check its permissions and run install.sh again, or skip completion: ./install.sh --no-completion"
        return 1
    fi
    also=$(completion_link "$1")
    [ -n "$also" ] || return 0
    if ! links_to "$bin/kubelogin" kubectl-login; then
        unlink_ours "$also" "${file##*/}"
    elif ! exists "$also"; then
        ln -s "${file##*/}" "$also" || :
    fi
}

# Prints what to configure if a shell does not find the files by itself.
explain_completion() {
    case :${XDG_DATA_HOME:-${HOME:-}/.local/share}:${XDG_DATA_DIRS:-/usr/local/share:/usr/share}: in
    *:"$share":* | *:"$share"/:*) ;;
    *) say "  bash and fish look there if XDG_DATA_DIRS contains $share" ;;
    esac
    folder=$share/zsh/site-functions
    [ -f "$folder/_kubectl-login" ] && command -v zsh >/dev/null 2>&1 || return 0
    # shellcheck disable=SC2016 # zsh expands it
    zsh -fc 'print -rl -- $fpath' 2>/dev/null </dev/null | grep -qxF -- "$folder" && return
    folder=$(escaped "$folder")
    grep -qF -- "$folder" "${ZDOTDIR:-${HOME:-}}/.zshrc" 2>/dev/null && return
    say "  For zsh, add this line to ~/.zshrc, before compinit:"
    say "    fpath=(\"$folder\" \$fpath)"
}

remove_completion_files() {
    for shell in bash zsh fish; do
        file=$(completion_file "$shell")
        also=$(completion_link "$shell")
        [ -z "$also" ] || unlink_ours "$also" "${file##*/}"
        ! is_our_completion "$file" || remove "$file"
    done
}

# ---- which program kubectl and the shell will find

check_path() {
    if [ -n "$foreign_links" ]; then
        say "A kubeconfig with such a name runs the other program. Write kubectl-login in it, or: ./install.sh --force-links"
    fi
    case :$PATH: in
    *:"$bin":* | *:"$bin"/:*) ;;
    *)
        say ""
        case ${SHELL:-} in
        */fish)
            say "$bin is not on your PATH, so kubectl does not find it yet. Run this once:"
            say "  fish_add_path \"$(escaped "$bin")\""
            ;;
        *)
            say "$bin is not on your PATH, so kubectl does not find it yet. Add this line to your shell's profile:"
            say "  export PATH=\"$(escaped "$bin"):\$PATH\""
            ;;
        esac
        return
        ;;
    esac
    for name in kubectl-login kubelogin kubectl-oidc_login; do
        found=$(command -v "$name" 2>/dev/null) || continue
        if [ "$found" != "$bin/$name" ] && [ "$found" != "$bin//$name" ]; then
            say "Note: $name on your PATH is $found, which comes before $bin."
        fi
    done
}

# ---- uninstall

changed=
remove() {
    rm -f -- "$1" || fail "$1 cannot be removed" "Check the permissions of ${1%/*}, then run install.sh uninstall again."
    changed=1
    say "Removed   $1"
}

unlink_ours() {
    ! links_to "$1" "$2" || remove "$1"
}

# Restores what --force-links moved aside.
restore() {
    exists "$1.$aside" || return 0
    if exists "$1"; then
        say "Left alone: $1.$aside, because there is another ${1##*/} now"
        return
    fi
    mv -- "$1.$aside" "$1" || fail "$1.$aside cannot be moved back" \
        "Check the permissions of $bin, then run install.sh uninstall again."
    changed=1
    say "Restored  $1"
}

# Logs out and deletes what is stored. The program is removed even if this fails.
forget() {
    trouble=
    KUBECTL_LOGIN_PROMPT=never "$program" logout --all </dev/null || trouble=1
    words=$(KUBECTL_LOGIN_PROMPT=never "$program" remove-cache-dir 2>&1 </dev/null) && cleared=1 || cleared=
    # The default folder may contain a lock file even if another one is in use.
    [ -z "${KUBECACHEDIR:-}" ] ||
        (unset KUBECACHEDIR && KUBECTL_LOGIN_PROMPT=never "$program" remove-cache-dir >/dev/null 2>&1 </dev/null) || :
    left=
    for folder in "${KUBECACHEDIR:-}" "${XDG_STATE_HOME:-}" \
        "${HOME:-}/.local/state" "${HOME:-}/Library/Application Support"; do
        case $left in *"$folder/kubectl-login"*) continue ;; esac
        [ -z "$folder" ] || [ ! -e "$folder/kubectl-login" ] || left="$left${left:+ and }$folder/kubectl-login"
    done
    # If the folder does not exist, nothing is left to delete, and the error of a version without that command is noise.
    if [ -n "$words" ] && [ -n "$cleared" ]; then
        say "$words"
    elif [ -n "$words" ] && [ -n "$left" ]; then
        printf '%s\n' "$words" >&2
    fi
    [ -z "$trouble" ] ||
        warn "some sessions could not be ended" \
            "Read the reason above, and end the remaining sessions on your account's page at the issuer."
    [ -z "$left" ] ||
        warn "$left still exists" "Delete it by hand, and the items of kubectl-login in your keyring, if any."
}

uninstall() {
    another=
    if exists "$program" && ! is_ours "$program"; then
        another=1
        left_alone "$program"
    elif exists "$program" && [ -z "$keep" ]; then
        why=$(reason_not_to_run)
        if [ -z "$why" ]; then
            forget
        else
            warn "no session was ended: $program $why, so it is not run" \
                "Log out as the user who signed in, with a copy of the program that you trust: kubectl-login logout --all"
        fi
    fi
    for name in $names $completion_names; do
        # If the program is another one, the links belong to it.
        [ -n "$another" ] || unlink_ours "$bin/$name" kubectl-login
        restore "$bin/$name"
    done
    remove_completion_files
    # Last, so that uninstall can be run again after an interruption.
    [ -n "$another" ] || ! exists "$program" || remove "$program"
    folders=$(removable_folders)
    for file in "$manifest" "$record"; do
        [ ! -f "$file" ] || [ -L "$file" ] || remove "$file"
    done
    if [ -z "$changed" ]; then
        say "kubectl-login is not installed in $prefix, so nothing was removed."
        return
    fi
    printf '%s\n' "$folders" | while IFS= read -r folder; do
        rmdir -- "$folder" 2>/dev/null || :
    done
}

# ---- the command line

command=
prefix=
binary=
force=
complete=1
keep=
only_install=
while [ $# -gt 0 ]; do
    case $1 in
    install | uninstall)
        [ -z "$command" ] || fail "only one command is allowed, not $command and $1" \
            "To show the usage: ./install.sh --help" 2
        command=$1
        ;;
    --prefix | --binary)
        if [ $# -lt 2 ] || [ -z "$2" ]; then
            fail "$1 needs a value" "To show the usage: ./install.sh --help" 2
        fi
        case $1 in --prefix) prefix=$2 ;; *) binary=$2 only_install=--binary ;; esac
        shift
        ;;
    --prefix=?*) prefix=${1#*=} ;;
    --binary=?*) binary=${1#*=} only_install=--binary ;;
    --force-links) force=1 only_install=$1 ;;
    --no-completion) complete='' only_install=$1 ;;
    --keep-sign-ins) keep=1 ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) fail "$1 is not a valid option" "To list the options: ./install.sh --help" 2 ;;
    esac
    shift
done
case ${command:-install} in
install) [ -z "$keep" ] || fail "--keep-sign-ins is an option of uninstall" "To show the usage: ./install.sh --help" 2 ;;
*) [ -z "$only_install" ] || fail "$only_install is an option of install" "To show the usage: ./install.sh --help" 2 ;;
esac

if [ -z "$prefix" ]; then
    [ -n "${HOME:-}" ] || fail "HOME is not set, so ~/.local cannot be found" \
        "Name a folder: ./install.sh ${command:-install} --prefix DIR"
    prefix=$HOME/.local
fi
case $prefix in
/*) ;;
*) prefix=$PWD/$prefix ;;
esac
while [ "$prefix" != "${prefix%/}" ]; do
    prefix=${prefix%/}
done
bin=$prefix/bin
share=$prefix/share
program=$bin/kubectl-login
manifest=$share/kubectl-login/folders
record=$share/kubectl-login/program
aside=before-kubectl-login
names='kubelogin kubectl-oidc_login'
completion_names='kubectl_complete-login kubectl_complete-oidc_login'

if [ "$command" = uninstall ]; then
    uninstall
    exit 0
fi
check_places
[ -n "$binary" ] || build
[ -f "$binary" ] || fail "$binary does not exist or is not a file" \
    "Give the path of a kubectl-login binary, or build one: ./install.sh"
install_binary
for name in $names; do
    link "$name"
done
install_completion
check_path
