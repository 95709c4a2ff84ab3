#compdef kubectl-login kubelogin
# Completion of kubectl-login for zsh: sourced after compinit, or as the file _kubectl-login in a folder of $fpath.

_kubectl-login() {
    # Words as they were meant. Nothing is expanded: a half-typed line must not run anything.
    local program=${(Q)words[1]} before
    local -a arguments
    for before in "${(@)words[1,CURRENT-1]}"; do
        arguments+=("${(Q)before}")
    done
    arguments[1]=()
    arguments+=("${(Q)PREFIX}")

    local reply directive line word
    reply=$("${program/#\~\//$HOME/}" __complete "${(@)arguments}" 2>/dev/null) || return 1
    directive=${reply##*:}
    # Behind --flag= come values, without the flag.
    compset -P 1 '-*='
    case $directive in
        0 | 16)
            # Paths: the shell knows them best.
            if [[ $directive == 16 ]]; then _files -/; else _files; fi
            return
            ;;
    esac

    local -a described
    for line in "${(@f)${reply%:*}}"; do
        [[ -n $line ]] || continue
        word=${line%%$'\t'*}
        described+=("${word//:/\\:}${${line#"$word"}/$'\t'/:}")
    done
    _describe 'kubectl-login' described
}

if [[ ${funcstack[1]} == _kubectl-login ]]; then
    _kubectl-login "$@"
else
    compdef _kubectl-login kubectl-login kubelogin
fi
