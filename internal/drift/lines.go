package drift

import (
	"bytes"

	"github.com/pannous/redox-clif/internal/tomledit"
)

// lineOf is the line of a key's value in a TOML text, from 1; 0 when it is not there.
func lineOf(text []byte, key ...string) int {
	doc, err := tomledit.Parse(text)
	if err != nil {
		return 0
	}
	value, ok := doc.Get(key...)
	if !ok {
		return 0
	}
	return bytes.Count(text[:value.Start], []byte("\n")) + 1
}

// nthLine is the line on which the n-th line that is exactly want stands, n from 1; 0 when there are fewer.
func nthLine(text []byte, want string, n int) int {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if string(bytes.TrimSpace(line)) != want {
			continue
		}
		if n--; n == 0 {
			return i + 1
		}
	}
	return 0
}

// firstDifference is the first line in which two texts differ, from 1, with both lines.
func firstDifference(want, got []byte) (line int, wanted, found string) {
	w, g := bytes.Split(want, []byte("\n")), bytes.Split(got, []byte("\n"))
	for i := 0; i < len(w) || i < len(g); i++ {
		wanted, found = at(w, i), at(g, i)
		if wanted != found {
			return i + 1, wanted, found
		}
	}
	return 0, "", ""
}

func at(lines [][]byte, i int) string {
	if i >= len(lines) {
		return ""
	}
	return string(bytes.TrimSpace(lines[i]))
}

// orEnd is a line of a text, or what there is instead.
func orEnd(line string) string {
	if line == "" {
		return "the end of the file"
	}
	return line
}
