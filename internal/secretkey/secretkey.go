// Package secretkey knows a secret key of packages when it sees one, whatever the file is called, so that it is handed to nobody.
//
// It owns the question whether some bytes are such a key, encrypted or not. It must not use one: packages are signed by package pkgar, which
// has the format.
package secretkey

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/BurntSushi/toml"
)

// MaxSize is the longest key file in bytes; a longer one is none, and nothing here or in pkgar takes it for one.
const MaxSize = 64 << 10

// minSize is less than the shortest has: three values of 32, 24 and 64 bytes in hexadecimal.
const minSize = 2 * (32 + 24 + 64)

// lengths are the digits of the values. A secret key is 64 bytes, or 80 when it is encrypted.
var lengths = map[string][]int{"salt": {64}, "nonce": {48}, "skey": {128, 160}}

// Possible reports whether a file of that many bytes can be a secret key, so that others need not be read.
func Possible(size int64) bool { return size >= minSize && size <= MaxSize }

// Is reports whether data is the content of a secret key file.
func Is(data []byte) bool {
	if !Possible(int64(len(data))) || !strings.Contains(string(data), "=") {
		return false
	}
	var file map[string]any
	if _, err := toml.Decode(string(data), &file); err != nil {
		return false
	}
	for key, want := range lengths {
		if !hasDigits(file, key, want) {
			return false
		}
	}
	return true
}

// hasDigits looks for a value under the key in any case, as the decoder that reads keys does.
func hasDigits(file map[string]any, key string, lengths []int) bool {
	for name, value := range file {
		text, ok := value.(string)
		if !ok || !strings.EqualFold(name, key) {
			continue
		}
		raw, err := hex.DecodeString(text)
		for _, n := range lengths {
			if err == nil && 2*len(raw) == n {
				return true
			}
		}
	}
	return false
}

// Error says that something that others get has a secret key in it.
type Error struct{ Place string }

func (e *Error) Error() string {
	return fmt.Sprintf("%s is a secret key of packages, which is never handed on: take it out of there; if others have had it, make a new one (`mage pkg:keygen DIR`)", e.Place)
}

// CheckFile refuses a file of the host that is a secret key: *Error with its path. What is no regular file is none.
func CheckFile(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || !Possible(info.Size())) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return Check(path, f)
}

// Check refuses the content of a small file if it is a secret key.
func Check(place string, r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err == nil && Is(data) {
		err = &Error{Place: place}
	}
	return err
}
