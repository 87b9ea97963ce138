package report

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/pannous/redox-clif/internal/terminal"
)

const (
	// A log that is longer than headBytes and endBytes together has a gap between them.
	headBytes = 32 << 10
	endBytes  = 96 << 10
)

// readLog reads a guest's serial log, of a long one the beginning and the end.
func readLog(path string) (text string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	size = info.Size()
	if size <= headBytes+endBytes {
		whole, err := io.ReadAll(f)
		return cleaned(string(whole)), size, err
	}
	head, err := io.ReadAll(io.NewSectionReader(f, 0, headBytes))
	if err != nil {
		return "", 0, err
	}
	end, err := io.ReadAll(io.NewSectionReader(f, size-endBytes, endBytes))
	gap := fmt.Sprintf("\n… %d bytes are left out here …\n", size-headBytes-endBytes)
	return cleaned(string(head)) + gap + cleaned(string(end)), size, err
}

// tailOf is the end of a log, from the beginning of a line; "" when it cannot be read.
func tailOf(path string, most int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	from := max(0, info.Size()-most)
	text, err := io.ReadAll(io.NewSectionReader(f, from, most))
	if err != nil {
		return ""
	}
	tail := cleaned(string(text))
	if _, rest, ok := strings.Cut(tail, "\n"); from > 0 && ok {
		tail = rest
	}
	return tail
}

// cleaned leaves lines of text: no colours, no carriage returns, nothing that only a terminal understands.
func cleaned(text string) string {
	text = terminal.WithoutColours(strings.ToValidUTF8(strings.ReplaceAll(text, "\r", ""), "�"))
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}
