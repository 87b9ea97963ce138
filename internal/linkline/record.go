package linkline

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Record does what [Recorder] does, where there is no shell: it notes the linker's arguments in place of the program, and keeps what is
// gone when rustc ends. It is held to the script by a test.
func Record(args []string) error {
	args, err := withFiles(args)
	if err != nil {
		return err
	}
	program := outputOf(args)
	if program == "" {
		return fmt.Errorf("rustc names no output among the linker's arguments: %s", strings.Join(args, " "))
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	kept := program + ".link"
	if err := os.RemoveAll(kept); err != nil {
		return err
	}
	if err := os.Mkdir(kept, 0o755); err != nil {
		return err
	}
	for i, arg := range args {
		if err := keepFile(arg, filepath.Join(kept, strconv.Itoa(i+1))); err != nil {
			return err
		}
	}
	// Beside and renamed: cargo has a hard link to what was there before.
	line := filepath.Join(kept, "line")
	if err := os.WriteFile(line, []byte(dir+"\x00"+strings.Join(args, "\x00")+"\x00"), 0o644); err != nil {
		return err
	}
	return os.Rename(line, program)
}

// withFiles puts the arguments that come in a file, one a line with a backslash before each blank and backslash, in its place.
func withFiles(args []string) ([]string, error) {
	var all []string
	for _, arg := range args {
		name, ok := strings.CutPrefix(arg, "@")
		if !ok {
			all = append(all, arg)
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			all = append(all, escaped.ReplaceAllString(strings.TrimSuffix(line, "\n"), "$1"))
		}
	}
	return all, nil
}

var escaped = regexp.MustCompile(`\\(.)`)

func outputOf(args []string) (program string) {
	for i, arg := range args {
		if out, ok := strings.CutPrefix(arg, "/OUT:"); ok {
			program = out
		}
		if i > 0 && args[i-1] == "-o" {
			program = arg
		}
	}
	return program
}

// madeForLinker is the name of a file that rustc makes for one link.
var madeForLinker = regexp.MustCompile(`/rustc.{6}/|\.o$`)

// keepFile copies the file that an argument names, if it is one that rustc removes.
func keepFile(arg, to string) error {
	if !madeForLinker.MatchString(arg) {
		return nil
	}
	name := ""
	if option := microsofts.FindString(arg); option != "" {
		_, name, _ = strings.Cut(arg, ":") // /DEF:/tmp/rustcXXXXXX/lib.def
	} else if _, rest, ok := strings.Cut(arg, "/"); ok {
		name = "/" + rest // --version-script=/tmp/rustcXXXXXX/list
	} else {
		return nil
	}
	if !isFile(name) {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
