package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/cmd/disk"
	"github.com/pannous/redox-clif/internal/cmd/initfs"
	"github.com/pannous/redox-clif/internal/cmd/pkg"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// Words that are missing are filled with the first flag, and an empty one would be the current folder.
func TestWordsAreChecked(t *testing.T) {
	s := sessiontest.InCheckout(t, map[string]string{"f": "x"})
	ctx, file, flag := t.Context(), filepath.Join(s.Config.Root, "f"), "-img=x"
	t.Chdir(t.TempDir())
	for name, err := range map[string]error{
		"image:ls flag":         disk.Ls(ctx, s, "", flag, false, false),
		"image:cat flag":        disk.Cat(ctx, s, "", flag),
		"image:cat":             disk.Cat(ctx, s, "", ""),
		"image:rm":              disk.Rm(ctx, s, "", nil),
		"image:rm flag":         disk.Rm(ctx, s, "", []string{flag}),
		"pkg:ls flag":           pkg.Ls(ctx, s, flag, ""),
		"pkg:verify flag":       pkg.Verify(ctx, s, flag, ""),
		"pkg:extract":           pkg.Extract(ctx, s, file, "", "", true),
		"pkg:extract flag":      pkg.Extract(ctx, s, file, "-key=x", "", true),
		"pkg:create":            pkg.Create(ctx, s, "", pkg.CreateFlags{}),
		"pkg:keygen":            pkg.Keygen(s, "", false, nil),
		"pkg:keygen flag":       pkg.Keygen(s, "-passphrase", false, nil),
		"pkg:publish":           pkg.Publish(ctx, s, "", pkg.PublishFlags{}),
		"initfs:ls flag":        initfs.List(s, "-l", false, false),
		"initfs:verify":         initfs.Verify(s, ""),
		"initfs:extract":        initfs.Extract(ctx, s, file, ""),
		"initfs:replace":        initfs.Replace(ctx, s, file, "", file),
		"initfs:pack flag":      initfs.Pack(ctx, s, s.Config.Root, file, "-layout=2", nil),
		"image:snapshots -keep": disk.Snapshots(ctx, s, file, sessiontest.Ptr(-1)),
	} {
		if err == nil || !strings.Contains(err.Error(), "-keep=-1") && !strings.Contains(err.Error(), "path") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
