// Package atomicfile replaces small files as a whole without forcing them to stable storage.
//
// It is for files that are checked when they are read and that can be done without: entries of caches, what is
// remembered to explain a build. A reader sees the old file or the new one, also while the writer is
// killed. After a power failure it may see an empty or a torn one, and has to take that for none. An fsync costs
// more than all else of writing such a file, and a build of one changed line writes two dozen. What cannot be made
// again is written by renameio, which waits for the disk.
//
// It owns the order of writing and renaming. It must not know what is in a file.
package atomicfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/cachefile"
)

// Write puts data beside path, under a name that starts with "." and the file's own, and renames it.
func Write(path string, data []byte, perm fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = f.Close(), os.Remove(f.Name()) // err says what was first
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return cachefile.Rename(f.Name(), path)
}

// ErrDamaged is the error for a file whose sum does not fit.
var ErrDamaged = errors.New("the file is damaged")

// sumLength is that of the last line of a file with a sum: hexadecimal digits and a line end.
const sumLength = 2*sha256.Size + 1

// WriteSummed is Write with the SHA-256 of data, in hexadecimal, as the last line, for what has no form of its own that shows damage.
func WriteSummed(path string, data []byte, perm fs.FileMode) error {
	return Write(path, append(data[:len(data):len(data)], sumLine(data)...), perm)
}

// ReadSummed is what [WriteSummed] wrote, or [ErrDamaged].
func ReadSummed(path string) ([]byte, error) {
	b, err := cachefile.Read(path)
	if err != nil {
		return nil, err
	}
	data := b[:max(len(b)-sumLength, 0)]
	if string(b[len(data):]) != sumLine(data) {
		return nil, ErrDamaged
	}
	return data, nil
}

func sumLine(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]) + "\n"
}
