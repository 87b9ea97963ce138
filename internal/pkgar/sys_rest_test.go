//go:build !linux

package pkgar

import (
	"errors"
	"os"
	"time"
)

var testTime = time.Unix(1_000_000_000, 0)

func makePipe(_ string) error { return errors.ErrUnsupported }

func openTerminal() (master, slave *os.File, err error) { return nil, nil, errors.ErrUnsupported }

func peakMemory() int64 { return 0 }
