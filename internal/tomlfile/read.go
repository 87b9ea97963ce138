package tomlfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Read is os.ReadFile for a file that need not be there, which its error says as [fs.ErrNotExist]. A link that leads nowhere is another error: who made
// it wants the file to be read.
func Read(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	to, linkErr := os.Readlink(path)
	if linkErr != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s is a link to %s, which is not there: mend the link, or remove it", path, to)
}
