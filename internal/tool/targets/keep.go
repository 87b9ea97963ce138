//go:build unix

package main

import (
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/tool/madeof"
)

// keepSelf lets the next `go tool mage` start this program without the go command, as long as its sources are what they were before the go command
// compiled it. Where that cannot be written (a checkout of somebody else) calls take longer, no more.
func keepSelf(root, made string) {
	self, err := os.Executable()
	if err != nil || self == madeof.Kept(root) {
		return
	}
	if now, err := madeof.Fingerprint(root); err != nil || now != made {
		return // changed while it was compiled
	}
	program, err := os.ReadFile(self)
	if err != nil || os.MkdirAll(filepath.Dir(madeof.Kept(root)), 0o755) != nil {
		return
	}
	_ = os.Remove(madeof.Mark(root)) // never the mark of another program
	if renameio.WriteFile(madeof.Kept(root), program, 0o755) == nil {
		_ = renameio.WriteFile(madeof.Mark(root), []byte(made), 0o644)
	}
}
