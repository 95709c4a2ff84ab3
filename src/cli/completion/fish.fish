# Completion of kubectl-login for fish, 3.0 and newer.

function __kubectl_login_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    # The word as it was meant. A quote that is still open does not belong to it.
    set -l word (string unescape -- "$typed")
    or set word (string trim --left --chars "\"'" -- "$typed")
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -e words[1]

    set -l reply ($program __complete $words "$word" 2>/dev/null)
    or return
    set -l directive $reply[-1]
    set -e reply[-1]
    # Paths: the shell knows them best, and offers them to a command that it does not know.
    if contains -- $directive :0 :16
        set reply (complete -C "kubectl-login-path "(string replace -r -- '^-[^=]*=' '' "$typed"))
        test $directive = :0
        or set reply (string match -r -- '^.*/(?:\t.*)?$' $reply)
    end
    # Behind --flag= come values, without the flag.
    set -l flag (string match -r -- '^-[^=]*=' "$word")
    for candidate in $reply
        printf '%s%s\n' "$flag" $candidate
    end
end

complete -c kubectl-login -f -a '(__kubectl_login_complete)'
complete -c kubelogin -f -a '(__kubectl_login_complete)'
