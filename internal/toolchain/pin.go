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

// Pin is toolchain/toolchain.toml: the active release set with its pin, the one place that names a toolchain. It is a
// rust-toolchain.toml as rustup reads it, which passes over the keys other than [toolchain]. `mage toolchain:pin CHANNEL` changes it.
// Other sets are toolchain/sets/NAME/toolchain.toml.
type Pin struct {
	// Set names the active release set. The file of another set is called by its name.
	Set string `toml:"set"`
	// Description is one line about the set.
	Description string `toml:"description"`
	// Inherits is the set that counts where this one says nothing, in recipes and, without [toolchain], for the pin.
	Inherits string `toml:"inherits"`
	// Toolchain is the part that rustup reads too. A set that inherits may do without.
	Toolchain PinnedChannel `toml:"toolchain"`
	// Optional is what is installed only when asked for.
	Optional Optional `toml:"optional"`
	// Expected is what the channel must turn out to be.
	Expected Expected `toml:"expected"`
	// Requires is what a toolchain from anywhere must bring.
	Requires Requires `toml:"requires"`
}

// PinnedChannel is the part that rustup reads too.
type PinnedChannel struct {
	// Channel is dated or a release, so that it never moves: "nightly-2026-01-02", "1.94.0".
	Channel string `toml:"channel"`
	// Profile is rustup's: "minimal".
	Profile string `toml:"profile"`
	// Components are those of the channel that have to be there: "rust-src", "llvm-tools".
	Components []string `toml:"components"`
}

// Optional are components that are installed only when asked for.
type Optional struct {
	// Components are installed by `mage toolchain:install -cranelift`: "rustc-codegen-cranelift-preview".
	Components []string `toml:"components"`
}

// Expected is what the channel must turn out to be. What is empty is not checked, as between a change of the pin and its
// verification.
type Expected struct {
	// Release is that of rustc: "1.94.0-nightly".
	Release string `toml:"release"`
	// Commit is that of rustc, 40 hexadecimal digits.
	Commit string `toml:"commit"`
}

// Requires is what a toolchain from anywhere must bring.
type Requires struct {
	// Release is the oldest rustc that will do: "1.94.0".
	Release string `toml:"release"`
	// Tools are programs in the folder of rust-lld: "llvm-nm".
	Tools []string `toml:"tools"`
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
	pin, err := DecodeSet(path, data)
	if err == nil && pin.Toolchain.Channel == "" {
		err = tomlfile.At(path, data, []string{"toolchain"}, "key \"toolchain.channel\" is missing")
	}
	return pin, err
}

// DecodeSet is DecodePin for the file of a set, which may leave the pin to another one.
func DecodeSet(path string, data []byte) (*Pin, error) {
	pin := &Pin{}
	if err := tomlfile.Decode(path, data, pin); err != nil {
		return nil, err
	}
	var wrong *multierror.Error
	at := func(table, key, format string, args ...any) {
		wrong = multierror.Append(wrong, tomlfile.At(path, data, []string{table, key}, format, args...))
	}
	if err := checkChannel(pin.Toolchain.Channel); pin.Toolchain.Channel != "" && err != nil {
		at("toolchain", "channel", "%v", err)
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
