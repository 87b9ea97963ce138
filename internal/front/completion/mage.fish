# Completion of redox-clif's targets in fish, for `mage` and `go tool mage`.
# Written by: go tool mage completion fish

# The words behind the command, whose length is given, with the one at the cursor.
function __redox_clif_complete
    set -l words (commandline -opc)
    set -e words[1..$argv[1]]
    go tool mage __complete $words (commandline -ct) 2>/dev/null
    or test $argv[1] = 1; and command -q mage; and command mage -autocomplete 2>/dev/null
end

function __redox_clif_is_go_tool_mage
    set -l words (commandline -opc)
    test (count $words) -ge 3; and test "$words[2] $words[3]" = "tool mage"
end

complete -c mage -e
complete -c mage -f -a '(__redox_clif_complete 1)'
complete -c go -n __redox_clif_is_go_tool_mage -f -a '(__redox_clif_complete 3)'
