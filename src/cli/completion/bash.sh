# Completion of kubectl-login for bash, 3.2 and newer. It needs nothing else.

_kubectl_login() {
    COMPREPLY=()

    # readline cuts at : = and @ as well. What stands together without a blank is one word to the program.
    local line=${COMP_LINE:0:COMP_POINT} rest piece i
    local -a words
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        rest=${line#"${line%%[![:space:]]*}"}
        piece=${COMP_WORDS[i]}
        # What stands behind the cursor does not count.
        ((i < COMP_CWORD)) || piece=$rest
        if ((i == 0)) || [[ $rest != "$line" ]]; then
            words+=("$piece")
        else
            words[${#words[@]} - 1]+=$piece
        fi
        line=${rest#"$piece"}
    done

    # Words as they were meant. Nothing is expanded: a half-typed line must not run anything.
    local quoted=''
    for ((i = 0; i < ${#words[@]}; i++)); do
        quoted=
        case ${words[i]} in
        \'* | \"*)
            quoted=${words[i]:0:1}
            words[i]=${words[i]#?}
            words[i]=${words[i]%"$quoted"}
            ;;
        *) words[i]=${words[i]//\\/} ;;
        esac
    done
    local program=${words[0]} word=${words[${#words[@]} - 1]}
    case $program in \~/*) program=$HOME/${program#*/} ;; esac

    local reply directive
    reply=$("$program" __complete "${words[@]:1}" 2>/dev/null) || return 0
    directive=${reply##*:}
    reply=${reply%:*}

    # What readline keeps: it replaces only what follows the last place where it cuts. An @ it takes along.
    local kept='' c
    if [[ -z $quoted ]]; then
        for c in : = @; do
            if [[ $COMP_WORDBREAKS == *"$c"* && $word == *"$c"* ]]; then
                rest=${word##*"$c"}
                rest=${word%"$rest"}
                [[ $c != @ ]] || rest=${rest%@}
                ((${#rest} <= ${#kept})) || kept=$rest
            fi
        done
    fi

    # Behind --flag= come values, without the flag.
    local flag='' paths=''
    case $word in -*=*) flag=${word%%=*}= ;; esac
    case $directive in
    0 | 16)
        # Paths: the shell knows them best.
        if [[ $directive == 16 ]]; then
            reply=$(compgen -d -- "${word#"$flag"}")
        else
            reply=$(compgen -f -- "${word#"$flag"}")
        fi
        # readline then writes them as paths: quoted, and folders with a slash. (bash 3.2 cannot be told.)
        if compopt -o filenames 2>/dev/null; then paths=yes; fi
        ;;
    esac

    local candidate
    while IFS= read -r candidate; do
        [[ -n $candidate ]] || continue
        candidate=$flag${candidate%%$'\t'*}
        candidate=${candidate#"$kept"}
        if [[ -z $quoted$paths ]]; then
            case $candidate in
            \~/*)
                printf -v candidate %q "${candidate#*/}"
                candidate=\~/$candidate
                ;;
            *) printf -v candidate %q "$candidate" ;;
            esac
        fi
        COMPREPLY+=("$candidate")
    done <<<"$reply"
}

complete -F _kubectl_login kubectl-login kubelogin
