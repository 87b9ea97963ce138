# Completion of redox-clif's targets in zsh, for `mage` and `go tool mage`.
# Written by: go tool mage completion zsh

# _redox_clif_complete N completes the words behind the first N.
_redox_clif_complete() {
    local line candidates
    local -a values shown
    candidates=$(go tool mage __complete "${(@)words[$1+1,CURRENT-1]}" "$PREFIX" 2>/dev/null) || {
        [[ $1 == 1 ]] && candidates=$(command mage -autocomplete 2>/dev/null)
    }
    local -a open openshown
    for line in ${(f)candidates}; do
        local value=${line%%$'\t'*} help=""
        [[ $line == *$'\t'?* ]] && help=" -- ${line#*$'\t'}"
        if [[ $value == *[/=] ]]; then
            open+=("$value") openshown+=("$value$help")
        else
            values+=("$value") shown+=("$value$help")
        fi
    done
    (( $#values )) && compadd -l -d shown -- "${values[@]}"
    (( $#open )) && compadd -l -S '' -d openshown -- "${open[@]}"
    return 0
}

_redox_clif_mage() { _redox_clif_complete 1 }

# `go` may have a completion already, which keeps all but `go tool mage`.
(( ${+_redox_clif_go_before} )) || typeset -g _redox_clif_go_before=${_comps[go]:-}
_redox_clif_go() {
    if [[ ${words[2]} == tool && ${words[3]} == mage ]] && (( CURRENT > 3 )); then
        _redox_clif_complete 3
    elif [[ -n $_redox_clif_go_before ]]; then
        $_redox_clif_go_before "$@"
    else
        _default
    fi
}

compdef _redox_clif_mage mage
compdef _redox_clif_go go
