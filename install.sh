#!/bin/sh
# Installs kubectl-login, with links for the names it stands in for and completion for the shell; and removes it again.
set -eu

usage() {
    cat <<'TEXT'
Installs kubectl-login to DIR/bin, where kubectl finds it as `kubectl login`.

Usage:
  ./install.sh [install] [--prefix DIR] [--binary FILE] [--force-links]
               [--no-completion]
  ./install.sh uninstall [--prefix DIR] [--keep-sign-ins]

install builds the program with cargo, links kubelogin and kubectl-oidc_login
to it, and sets up completion for bash, zsh and fish. A file that is there
already and is not of this program is left alone. Running it again brings the
installation up to date.

uninstall forgets every sign-in that is kept in your home folder, revokes it
where the issuer can, and removes what install made.

  --prefix DIR      where to install (default: ~/.local)
  --binary FILE     install this binary instead of building one
  --force-links     where another program has the name of a link, move it
                    aside to NAME.before-kubectl-login; uninstall puts it back
  --no-completion   leave completion out, and remove what was set up before
  --keep-sign-ins   leave what is remembered for another installation
  -h, --help        show this text
TEXT
}

# Every error in two halves: what happened, what to do next.
fail() {
    printf 'Error: %s\nNext:  %s\n' "$1" "$2" >&2
    exit "${3:-1}"
}

# The same for what does not stop the rest.
warn() {
    printf 'Warning: %s\nNext:    %s\n' "$1" "$2" >&2
}

say() {
    printf '%s\n' "$1"
}

# A path between double quotes, for a line that is to be copied into a shell.
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

is_there() {
    [ -e "$1" ] || [ -L "$1" ]
}

# Whether a file is some version of this program: all of them know this variable and answer in this format. Somebody's
# own script around this program may well set the variable. A link is Homebrew's, Nix's or somebody's own: install copies.
is_ours() {
    [ ! -L "$1" ] && [ -f "$1" ] && contains "$1" KUBECTL_LOGIN_PROMPT && contains "$1" client.authentication.k8s.io
}

# Why uninstall does not run the program that stands in its place; nothing where it may. What another user owns, as under
# sudo, can be anything, and so can a file that install did not put there, whatever words are in it.
not_to_be_run() {
    if ! [ -O "$place" ]; then
        printf '%s' "belongs to another user"
    elif [ ! -f "$record" ] || [ -L "$record" ] || [ "$(cat -- "$record")" != "$(checksum "$place")" ]; then
        printf '%s' "is not the file that install put there"
    fi
}

# Tells a file from another one. It does not prevent forgery: what can change the program can change the record too.
checksum() {
    cksum <"$1"
}

# Not every grep reads on after a zero byte.
contains() {
    LC_ALL=C tr '\000' '\n' 2>/dev/null <"$1" | LC_ALL=C grep -qF "$2"
}

# Whether `$1` is a link to `$2` beside it.
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
        say "Left alone: $1 is another program's"
    fi
}

# Writes a file beside its place and renames it over what is there.
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

# ---- the folders that install makes: noted down as it makes them, since uninstall removes no others

# The levels of a folder that are not there, from PREFIX on.
missing() {
    level=$1
    while [ "$level" != "${prefix%/*}" ] && ! is_there "$level"; do
        printf '%s\n' "$level"
        level=${level%/*}
    done
}

noted() {
    [ ! -f "$manifest" ] || [ -L "$manifest" ] || cat -- "$manifest"
}

# Adds folders to those of earlier installations.
note() {
    [ -n "$1" ] || return 0
    if [ -d "$manifest" ] || ! noted >/dev/null 2>&1 ||
        ! new=$({ noted && printf '%s\n' "$1" && missing "${manifest%/*}"; } | LC_ALL=C sort -u) ||
        ! mkdir -p -- "${manifest%/*}" 2>/dev/null || ! write_file "$manifest" "$new"; then
        warn "the folders that were made now cannot be noted in ${manifest%/*}" \
            "uninstall will leave them behind, empty. Remove them by hand then."
    fi
}

# What is noted and may be removed, deepest first. Whoever can write the notes could name any folder, by way of .. or of
# a link: so none counts that is not in PREFIX. The home folder is never removed.
made_folders() {
    root=$(CDPATH='' cd -- "${prefix:-/}" 2>/dev/null && pwd -P) || return 0
    home=$(CDPATH='' cd -- "${HOME:-/}" 2>/dev/null && pwd -P) || home=
    noted | while IFS= read -r folder; do
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
        fail "there is nothing to build in $source" "Run the install.sh of a checkout, or give a binary: ./install.sh --binary FILE"
    command -v cargo >/dev/null 2>&1 ||
        fail "cargo is not on your PATH" "Install Rust 1.90 or newer (https://rustup.rs), or give a binary: ./install.sh --binary FILE"
    target=${CARGO_TARGET_DIR:-$source/target}
    say "Building kubectl-login (a few minutes the first time)"
    # For this machine, into a known folder, whatever cargo is set up to do otherwise.
    (
        unset CARGO_BUILD_TARGET
        cargo build --release --locked --package kubectl-login --manifest-path "$source/Cargo.toml" --target-dir "$target"
    ) || fail "the build failed" "Read cargo's message above, and check that there are Rust 1.90 or newer and a C compiler (cc)."
    binary=$target/release/kubectl-login
    [ -f "$binary" ] ||
        fail "the build left no $binary" "Find the binary that cargo made, then: ./install.sh --binary FILE"
}

# Whatever would stop the installation half-way stops it here, before anything is touched.
check_places() {
    [ ! -L "$place" ] || fail "$place is a link to $(readlink "$place")" \
        "Remove it with what made it (Homebrew, Nix, stow), or install elsewhere: ./install.sh --prefix DIR"
    [ ! -d "$place" ] || fail "$place is a folder" "Move it away, or install elsewhere: ./install.sh --prefix DIR"
    if is_there "$place" && ! is_ours "$place"; then
        fail "$place is there already and is another program" "Move it away, or install elsewhere: ./install.sh --prefix DIR"
    fi
    [ -n "$force" ] || return 0
    for name in $names $completion_names; do
        if is_there "$bin/$name" && ! links_to "$bin/$name" kubectl-login && is_there "$bin/$name.$aside"; then
            fail "$bin/$name is another program's, and $name.$aside has been moved aside before" \
                "Move one of the two away, then run it again."
        fi
    done
}

install_binary() {
    folders=$(
        missing "$bin"
        missing "${record%/*}"
        # The program makes this one, for what it keeps.
        [ "$prefix" != "${HOME:-}/.local" ] || missing "$prefix/state"
    )
    mkdir -p -- "$bin" ||
        fail "the folder $bin cannot be made" "Check its permissions, or install elsewhere: ./install.sh --prefix DIR"
    note "$folders"
    # Copied beside its place and renamed over it: a kubectl that runs at this moment finds the old one or the new one.
    temporary=$(mktemp "$bin/.kubectl-login.XXXXXX" 2>/dev/null) ||
        fail "nothing can be written to $bin" "Check its permissions, or install elsewhere: ./install.sh --prefix DIR"
    cp -- "$binary" "$temporary" || fail "$binary cannot be copied to $bin" "Check permissions and free space, then run it again."
    chmod 755 "$temporary"
    version=$("$temporary" version 2>/dev/null) || version=
    case $version in
    "kubectl-login "*) ;;
    *) fail "$binary does not run here as kubectl-login" "Build it on this machine: ./install.sh" ;;
    esac
    mv -f -- "$temporary" "$place" ||
        fail "$place cannot be replaced" "Check its permissions, or install elsewhere: ./install.sh --prefix DIR"
    temporary=
    # Without a record, uninstall warns that it forgets no sign-in.
    write_file "$record" "$(checksum "$place")" || :
    say "Installed $version as $place"
}

foreign_links=
link() {
    if links_to "$bin/$1" kubectl-login; then
        say "Linked    $bin/$1 (it was already)"
        return
    fi
    if is_there "$bin/$1" && [ -z "$force" ]; then
        case $names in *"$1"*) foreign_links=1 ;; esac
        left_alone "$bin/$1"
        return
    fi
    if is_there "$bin/$1"; then
        mv -- "$bin/$1" "$bin/$1.$aside" ||
            fail "$bin/$1 cannot be moved aside" "Check the permissions of $bin, then run it again."
        say "Moved     $bin/$1 to $1.$aside"
    fi
    ln -s kubectl-login "$bin/$1" || fail "$bin/$1 cannot be made" "Check the permissions of $bin, then run it again."
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

# The same file under kubelogin's name: bash and fish look for completion by the name of the command.
completion_link() {
    case $1 in
    bash) printf '%s' "$share/bash-completion/completions/kubelogin" ;;
    fish) printf '%s' "$share/fish/vendor_completions.d/kubelogin.fish" ;;
    esac
}

# The last line of what is written here. A file without it is somebody's own.
marker='# Written by the install.sh of kubectl-login, which replaces and removes it.'
is_our_completion() {
    [ ! -L "$1" ] && [ -f "$1" ] && grep -qxF "$marker" "$1" 2>/dev/null
}

# kubectl runs kubectl_complete-NAME with the words typed so far. A program that does not know that name would run the
# words as a command, `logout --all` included: so there is no such link unless the program knows completion.
install_completion() {
    script=
    [ -z "$complete" ] || script=$(completion_script bash)
    if [ -z "$script" ]; then
        for name in $completion_names; do
            unlink_ours "$bin/$name" kubectl-login
            restore "$bin/$name"
        done
        remove_completion_files
        [ -z "$complete" ] || say "Without completion, which this version of kubectl-login does not have."
        return
    fi
    for name in $completion_names; do
        # Not for somebody else's `kubectl oidc-login`.
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
    script=$(KUBECTL_LOGIN_PROMPT=never "$place" completion "$1" 2>/dev/null </dev/null) || script=
    case $script in *kubectl-login*) printf '%s' "$script" ;; esac
}

write_completion() {
    file=$(completion_file "$1")
    if is_there "$file" && ! is_our_completion "$file"; then
        say "Left alone: $file was not written by this script"
        return 1
    fi
    into=${file%/*}
    folders=$(missing "$into")
    if mkdir -p -- "$into" 2>/dev/null; then
        note "$folders"
    fi
    if ! write_file "$file" "$script
$marker"; then
        warn "completion for $1 cannot be written to $into" \
            "Check its permissions and run it again, or leave completion out: ./install.sh --no-completion"
        return 1
    fi
    also=$(completion_link "$1")
    [ -n "$also" ] || return 0
    if ! links_to "$bin/kubelogin" kubectl-login; then
        unlink_ours "$also" "${file##*/}"
    elif ! is_there "$also"; then
        ln -s "${file##*/}" "$also" || :
    fi
}

# What a shell has to be told to find the files.
explain_completion() {
    case :${XDG_DATA_HOME:-${HOME:-}/.local/share}:${XDG_DATA_DIRS:-/usr/local/share:/usr/share}: in
    *:"$share":* | *:"$share"/:*) ;;
    *) say "  bash and fish look there when XDG_DATA_DIRS names $share" ;;
    esac
    folder=$share/zsh/site-functions
    [ -f "$folder/_kubectl-login" ] && command -v zsh >/dev/null 2>&1 || return 0
    # shellcheck disable=SC2016 # zsh expands it
    zsh -fc 'print -rl -- $fpath' 2>/dev/null </dev/null | grep -qxF -- "$folder" && return
    folder=$(escaped "$folder")
    grep -qF -- "$folder" "${ZDOTDIR:-${HOME:-}}/.zshrc" 2>/dev/null && return
    say "  zsh looks there with this line in ~/.zshrc, before compinit:"
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

# ---- what a name means to kubectl and the shell once this is done

check_path() {
    if [ -n "$foreign_links" ]; then
        say "A kubeconfig that names what was left alone runs that. Write kubectl-login in it, or: ./install.sh --force-links"
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
    rm -f -- "$1" || fail "$1 cannot be removed" "Check the permissions of ${1%/*}, then run it again."
    changed=1
    say "Removed   $1"
}

unlink_ours() {
    ! links_to "$1" "$2" || remove "$1"
}

# Puts back what --force-links moved aside.
restore() {
    is_there "$1.$aside" || return 0
    if is_there "$1"; then
        say "Left alone: $1.$aside, as there is another ${1##*/} by now"
        return
    fi
    mv -- "$1.$aside" "$1" || fail "$1.$aside cannot be moved back" "Check the permissions of $bin, then run it again."
    changed=1
    say "Restored  $1"
}

# Signs out and forgets, as far as that goes: the program is removed in any case.
forget() {
    trouble=
    KUBECTL_LOGIN_PROMPT=never "$place" logout --all </dev/null || trouble=1
    words=$(KUBECTL_LOGIN_PROMPT=never "$place" remove-cache-dir 2>&1 </dev/null) && cleared=1 || cleared=
    # The usual folder may have a lock file in it even where another one is in use.
    [ -z "${KUBECACHEDIR:-}" ] ||
        (unset KUBECACHEDIR && KUBECTL_LOGIN_PROMPT=never "$place" remove-cache-dir >/dev/null 2>&1 </dev/null) || :
    left=
    for folder in "${KUBECACHEDIR:-}" "${XDG_STATE_HOME:-}" \
        "${HOME:-}/.local/state" "${HOME:-}/Library/Application Support"; do
        case $left in *"$folder/kubectl-login"*) continue ;; esac
        [ -z "$folder" ] || [ ! -e "$folder/kubectl-login" ] || left="$left${left:+ and }$folder/kubectl-login"
    done
    # A version without that command has nothing left to forget where there is no folder.
    if [ -n "$words" ] && [ -n "$cleared" ]; then
        say "$words"
    elif [ -n "$words" ] && [ -n "$left" ]; then
        printf '%s\n' "$words" >&2
    fi
    [ -z "$trouble" ] ||
        warn "not every sign-in could be ended" "Read above what stopped it, and end what is left on your account's page at the issuer."
    [ -z "$left" ] ||
        warn "$left is still there" "Delete it by hand, and the items of kubectl-login in your keyring if there are any."
}

uninstall() {
    another=
    if is_there "$place" && ! is_ours "$place"; then
        another=1
        left_alone "$place"
    elif is_there "$place" && [ -z "$keep" ]; then
        why=$(not_to_be_run)
        if [ -z "$why" ]; then
            forget
        else
            warn "no sign-in was forgotten: $place $why, so it is not run" \
                "As the user who signed in, with a copy of the program that you trust: kubectl-login logout --all"
        fi
    fi
    for name in $names $completion_names; do
        # Links to another program are that program's.
        [ -n "$another" ] || unlink_ours "$bin/$name" kubectl-login
        restore "$bin/$name"
    done
    remove_completion_files
    # Last, so that after an interruption it can be run again.
    [ -n "$another" ] || ! is_there "$place" || remove "$place"
    folders=$(made_folders)
    for file in "$manifest" "$record"; do
        [ ! -f "$file" ] || [ -L "$file" ] || remove "$file"
    done
    if [ -z "$changed" ]; then
        say "kubectl-login is not installed in $prefix, so there is nothing to remove."
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
        [ -z "$command" ] || fail "there are two commands, $command and $1" "To see how it is written: ./install.sh --help" 2
        command=$1
        ;;
    --prefix | --binary)
        if [ $# -lt 2 ] || [ -z "$2" ]; then
            fail "$1 needs a value" "To see how it is written: ./install.sh --help" 2
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
    *) fail "there is no option $1" "To list them: ./install.sh --help" 2 ;;
    esac
    shift
done
case ${command:-install} in
install) [ -z "$keep" ] || fail "--keep-sign-ins belongs to uninstall" "To see how it is written: ./install.sh --help" 2 ;;
*) [ -z "$only_install" ] || fail "$only_install belongs to install" "To see how it is written: ./install.sh --help" 2 ;;
esac

if [ -z "$prefix" ]; then
    [ -n "${HOME:-}" ] || fail "HOME is not set, so there is no ~/.local" "Say where: ./install.sh ${command:-install} --prefix DIR"
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
place=$bin/kubectl-login
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
[ -f "$binary" ] || fail "there is no file $binary" "Give the path of a kubectl-login binary, or build one: ./install.sh"
install_binary
for name in $names; do
    link "$name"
done
install_completion
check_path
