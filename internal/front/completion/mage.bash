# Completion of redox-clif's targets in bash, for `mage` and `go tool mage`.
# Written by: go tool mage completion bash

# _redox_clif_complete COMMAND… completes the words behind that command, which is what was typed of the line's beginning.
_redox_clif_complete() {
    local line="${COMP_LINE:0:COMP_POINT}" word typed candidates
    local -a words
    read -ra words <<<"$line"
    # An empty word is at the cursor behind a space.
    [[ $line == *[[:space:]] ]] && words+=("")
    words=("${words[@]:$#}")
    word="${words[${#words[@]} - 1]}"
    candidates=$(go tool mage __complete "${words[@]}" 2>/dev/null) || candidates=$("$@" -autocomplete 2>/dev/null)
    # bash replaces only what follows the last of its word breaks, and : and = are among them.
    local breaks="${COMP_WORDBREAKS//[!:=]/}" value
    typed=""
    if [[ -n $breaks && $word == *[$breaks]* ]]; then
        typed="${word%"${word##*[$breaks]}"}"
    fi
    COMPREPLY=()
    while IFS=$'\t' read -r value _; do
        [[ -n $value && $value == "$word"* ]] || continue
        value="${value#"$typed"}"
        [[ $value == *[!A-Za-z0-9_.,:=/@%+-]* ]] && printf -v value %q "$value"
        COMPREPLY+=("$value")
    done <<<"$candidates"
    if [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *[/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

_redox_clif_mage() { _redox_clif_complete mage; }
complete -F _redox_clif_mage mage

# `go` may have a completion already, which keeps all but `go tool mage`.
if [[ -z ${_redox_clif_go_before+set} ]]; then
    _redox_clif_go_before=$(complete -p go 2>/dev/null | sed -n 's/.*-F \([^ ]*\) .*/\1/p')
fi
_redox_clif_go() {
    if [[ ${COMP_WORDS[1]} == tool && ${COMP_WORDS[2]} == mage && $COMP_CWORD -gt 2 ]]; then
        _redox_clif_complete go tool mage
    elif [[ -n $_redox_clif_go_before ]]; then
        "$_redox_clif_go_before" "$@"
    fi
}
complete -o bashdefault -o default -F _redox_clif_go go
