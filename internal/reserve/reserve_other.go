//go:build !linux

package reserve

import "os"

func file(*os.File, int64) {}
