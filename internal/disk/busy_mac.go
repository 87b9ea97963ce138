package disk

import (
	"fmt"
	"strconv"
	"strings"
)

// macUsers asks the tools of macOS who has a file: lsof, which shows this user's processes (QEMU locks no images there, since macOS
// has no open-file-description locks), and hdiutil, whose attached images are held by a process of root. self is not counted. ask runs a
// program and returns its standard output.
func macUsers(path string, self int, ask func(argv ...string) (string, error)) ([]string, error) {
	open, err := ask("/usr/sbin/lsof", "-w", "-F", "pc", "--", path)
	if err != nil {
		return nil, fmt.Errorf("who has %s open: %w", path, err)
	}
	attached, err := ask("/usr/bin/hdiutil", "info")
	if err != nil {
		return nil, fmt.Errorf("whether %s is attached: %w", path, err)
	}
	return append(holdersByLsof(open, self), attachedAs(attached, path)...), nil
}

// holdersByLsof reads what `lsof -F pc` prints: a line of a letter and a value for each field, p first of a process (lsof(8), "Output
// for other programs").
func holdersByLsof(text string, self int) []string {
	var found []string
	pid := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if number, ok := strings.CutPrefix(line, "p"); ok {
			pid, _ = strconv.Atoi(number)
		}
		if name, ok := strings.CutPrefix(line, "c"); ok && pid != self {
			found = append(found, fmt.Sprintf("%s (process %d)", name, pid))
		}
	}
	return found
}

// attachedAs reads what `hdiutil info` prints: for each image a block with the line "image-path : PATH", and then a line for each
// device that begins with its name.
func attachedAs(text, path string) []string {
	var found []string
	ours := false
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		switch {
		case strings.TrimSpace(key) == "image-path":
			ours = strings.TrimSpace(value) == path
		case ours && strings.HasPrefix(line, "/dev/"):
			device := strings.Fields(line)[0]
			found = append(found, fmt.Sprintf("%s (an attached image: hdiutil detach %[1]s)", device))
			ours = false // the first is the whole disk, the others are its partitions
		}
	}
	return found
}
