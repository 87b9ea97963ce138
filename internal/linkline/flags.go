package linkline

import (
	"slices"
	"strings"
)

// inSource begins a path of the source, which is there when a program is compiled and not when it is linked.
const inSource = "%{root}/src/"

// SplitFlags takes out of flags of rustc those that are for the linker alone, and returns their values beside the rest.
// Where one names a file of the source all stay, in their order, so that the recorder sees the file.
func SplitFlags(flags []string) (rest, args []string) {
	if slices.ContainsFunc(flags, func(flag string) bool { return strings.Contains(flag, inSource) }) {
		return flags, nil
	}
	for i := 0; i < len(flags); i++ {
		setting, n := codegenSetting(flags[i:])
		name, value, _ := strings.Cut(setting, "=")
		switch name = strings.ReplaceAll(name, "_", "-"); {
		case name == "link-arg":
			args = append(args, value)
		case name == "link-args":
			args = append(args, strings.Fields(value)...)
		default:
			rest = append(rest, flags[i:i+n]...)
		}
		i += n - 1
	}
	return rest, args
}

// codegenSetting is the value of the codegen option that flags begin with, "" for another one, and the number of flags it
// takes.
func codegenSetting(flags []string) (setting string, n int) {
	switch flag := flags[0]; {
	case (flag == "-C" || flag == "--codegen") && len(flags) > 1:
		return flags[1], 2
	case strings.HasPrefix(flag, "-C"):
		return flag[len("-C"):], 1
	case strings.HasPrefix(flag, "--codegen="):
		return flag[len("--codegen="):], 1
	}
	return "", 1
}
