package toolchain

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Pin is toolchain/toolchain.toml, the one place that names a toolchain.
type Pin struct {
	Toolchain PinnedChannel `toml:"toolchain"`
	Optional  Optional      `toml:"optional"`
	Expected  Expected      `toml:"expected"`
	Requires  Requires      `toml:"requires"`
}

// PinnedChannel is the part that rustup reads too.
type PinnedChannel struct {
	Channel    string   `toml:"channel"`    // "nightly-2026-01-02": always dated or a release
	Profile    string   `toml:"profile"`    // "minimal"
	Components []string `toml:"components"` // "rust-src", "llvm-tools"
}

// Optional are components that are installed only when asked for.
type Optional struct {
	Components []string `toml:"components"` // "rustc-codegen-cranelift-preview"
}

// Expected is what the channel must turn out to be. Empty values are not
// checked: they are empty between a change of the pin and its verification.
type Expected struct {
	Release string `toml:"release"` // "1.94.0-nightly"
	Commit  string `toml:"commit"`  // 40 hexadecimal digits
}

// Requires is what a toolchain from anywhere must bring.
type Requires struct {
	Release string   `toml:"release"` // the oldest rustc that will do: "1.94.0"
	Tools   []string `toml:"tools"`   // names beside rust-lld: "llvm-nm"
}

// LoadPin reads the pin. Every problem of the file is in the error.
func LoadPin(path string) (*Pin, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the toolchain pin: %w", err)
	}
	return DecodePin(path, data)
}

// DecodePin is LoadPin for a text already read; path is for messages.
func DecodePin(path string, data []byte) (*Pin, error) {
	pin := &Pin{}
	if err := tomlfile.Decode(path, data, pin); err != nil {
		return nil, err
	}
	var wrong *multierror.Error
	at := func(table, key, format string, args ...any) {
		wrong = multierror.Append(wrong, tomlfile.At(path, data, []string{table, key}, format, args...))
	}
	switch channel := pin.Toolchain.Channel; {
	case channel == "":
		at("toolchain", "channel", "channel is missing")
	case checkChannel(channel) != nil:
		at("toolchain", "channel", "%v", checkChannel(channel))
	}
	if commit := pin.Expected.Commit; commit != "" && !isHex(commit, 40) {
		at("expected", "commit", "commit must be 40 hexadecimal digits")
	}
	if _, ok := parseRelease(pin.Requires.Release); pin.Requires.Release != "" && !ok {
		at("requires", "release", "release must look like 1.94.0")
	}
	return pin, wrong.ErrorOrNil()
}

// checkChannel refuses a channel that does not mean the same toolchain tomorrow, and a day that is none.
func checkChannel(channel string) error {
	kind, day, dated := strings.Cut(channel, "-")
	if dated && (kind == "nightly" || kind == "beta") && len(day) == len(time.DateOnly) {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return fmt.Errorf("channel %q: there is no day %s", channel, day)
		}
		return nil
	}
	if _, ok := parseRelease(channel); ok && strings.Count(channel, ".") == 2 {
		return nil
	}
	return fmt.Errorf("channel %q moves: name a day (nightly-2026-01-02) or a release (1.94.0)", channel)
}

func isHex(text string, length int) bool {
	return len(text) == length && strings.Trim(text, "0123456789abcdef") == ""
}

// parseRelease reads "1.94.0" or "1.94.0-nightly".
func parseRelease(text string) (numbers [3]int, ok bool) {
	text, _, _ = strings.Cut(text, "-")
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return numbers, false
	}
	for i, part := range parts {
		number, err := strconv.Atoi(part)
		if err != nil || number < 0 {
			return numbers, false
		}
		numbers[i] = number
	}
	return numbers, true
}

// olderRelease tells whether release a is before b; unreadable ones are not.
func olderRelease(a, b string) bool {
	x, okX := parseRelease(a)
	y, okY := parseRelease(b)
	if !okX || !okY {
		return false
	}
	for i := range x {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return false
}
