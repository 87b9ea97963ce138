package disk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/redoxfs"
)

func TestARootWithoutAPasswordOnANetworkIsFound(t *testing.T) {
	const smolnetd = "/usr/bin/smolnetd"
	const root, hash = "root;0;0;root;/root;/usr/bin/ion\n", "$argon2i$v=19$m=4096,t=10,p=1$c2FsdA$aGFzaA"
	for _, c := range []struct{ name, network, passwd, shadow, want string }{
		{"no password", smolnetd, root, "root;\n", "root"},
		{"older netstack", "/bin/netstack", root, "root;\n", "root"},
		{"no network", "/usr/bin/ls", root, "root;\n", ""},
		{"a password", smolnetd, root, "root;" + hash + "\n", ""},
		{"a locked account", smolnetd, root, "root;!\n", ""},
		{"no line in shadow", smolnetd, root, "user;\n", ""},
		{"a line without a field", smolnetd, root, "root\n", ""},
		{"root by another name", smolnetd, "\nuser;1000;1000;user;/home/user;/bin/sh\r\nadmin;0;0;x;/root;/bin/sh\r\n", "user;\nroot;!\r\nadmin;\r\n", "admin"},
		{"only a user", smolnetd, root + "user;1000;1000;user;/home/user;/bin/sh\n", "root;!\nuser;\n", ""},
		{"the old form", smolnetd, "root;;0;0;root;file:/root;file:/bin/ion\n", "-", "root"},
		{"the old form with a password", smolnetd, "root;" + hash + ";0;0;root;/root;/bin/ion\n", "-", ""},
		{"no users", smolnetd, "", "-", ""},
		{"no form", smolnetd, "root\n;;;\n", "-", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "passwd")
			if err := os.WriteFile(file, []byte(c.passwd), 0o644); err != nil {
				t.Fatal(err)
			}
			contents := []redoxfs.Op{{Op: redoxfs.OpFile, Path: c.network}, {Op: redoxfs.OpFile, Path: "/etc/passwd", From: file}}
			if c.shadow != "-" {
				contents = append(contents, redoxfs.Op{Op: redoxfs.OpFile, Path: "/etc/shadow", Text: &c.shadow})
			}
			found, err := FindOpenLogin(contents)
			got := ""
			if found != nil {
				got = found.User
			}
			if err != nil || got != c.want {
				t.Errorf("found %q, %v, want %q", got, err, c.want)
			}
		})
	}
}
