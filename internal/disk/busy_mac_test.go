package disk

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMacUsers: an image that runs, or is attached, is seen on macOS by what its tools print.
func TestMacUsers(t *testing.T) {
	const path = "/Users/me/out/pure rust.img"
	const attached = `framework       : 671.140.2
driver          : 25.0
================================================
image-path      : /Users/me/other.dmg
image-type      : read/write
/dev/disk4	GUID_partition_scheme
================================================
image-path      : /Users/me/out/pure rust.img
image-alias     : /Users/me/out/pure rust.img
shadow-path     : <none>
/dev/disk5	GUID_partition_scheme
/dev/disk5s1	C12A7328-F81F-11D2-BA4B-00A0C93EC93B
`
	for name, c := range map[string]struct {
		lsof, hdiutil string
		want          []string
	}{
		"nobody":   {"", "framework       : 671.140.2\n", nil},
		"ourself":  {"p7\ncmage\nf5\n", "", nil},
		"QEMU":     {"p41\ncqemu-system-aarch64\nf12\nf13\np7\ncmage\nf3\n", "", []string{"qemu-system-aarch64 (process 41)"}},
		"attached": {"", attached, []string{"/dev/disk5 (an attached image: hdiutil detach /dev/disk5)"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := macUsers(path, 7, func(argv ...string) (string, error) {
				if argv[0] == "/usr/sbin/lsof" && argv[len(argv)-1] == path {
					return c.lsof, nil
				}
				return c.hdiutil, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	_, err := macUsers(path, 7, func(argv ...string) (string, error) { return "", errors.New("no such program") })
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("where nobody can tell: %v", err)
	}
}
