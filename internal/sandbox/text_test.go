package sandbox

import (
	"strings"
	"testing"
	"testing/fstest"
)

func someView() view {
	return view{dir: "/c/made/step", temp: "/c/tmp-1", places: []place{
		{Kind: link, At: "/bin", From: "usr/bin"}, {Kind: empty, At: "/home/u"}, {Kind: readOnly, At: "/home/u/rust"},
		{Kind: readWrite, At: "/tmp", From: "/c/tmp-1"}, {Kind: readWrite, At: `/c/made/it"s`},
	}}
}

func TestProfileOfMacOSAllowsWhatIsDeclaredAndNoNetwork(t *testing.T) {
	got := profile(someView())
	for _, want := range []string{
		"(version 1)\n(deny default)\n", "(deny network*)\n", `(allow file-read* (subpath "/usr"))`, `(allow file-read* (subpath "/Library/Developer"))`,
		`(allow file-read* (subpath "/opt/local"))`, `(allow file-read* (subpath "/nix/var/nix/profiles"))`,
		`(allow file-read* (regex #"^/Applications/Xcode[^/]*\.app(/|$)"))`,
		`(deny file-read-data file-write* (subpath "/home/u"))` + "\n" + `(allow file-read* (subpath "/home/u/rust"))`,
		`(allow file-read* file-write* (subpath "/c/made/it\"s"))`, `(allow file-read* file-write* (subpath "/c/tmp-1"))`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %s:\n%s", want, got)
		}
	}
	for _, not := range []string{`file-write* (subpath "/usr"`, "allow network", `(subpath "/tmp")`, `(subpath "/")`} {
		if strings.Contains(got, not) {
			t.Errorf("it has %s:\n%s", not, got)
		}
	}
	if open, shut := strings.Count(got, "("), strings.Count(got, ")"); open != shut {
		t.Errorf("%d ( and %d )", open, shut)
	}
}

func TestBubblewrapIsToldEveryPlaceInOrder(t *testing.T) {
	got := strings.Join(bubblewrap{"/usr/bin/bwrap"}.args(false, someView()), " ")
	for _, want := range []string{
		"--unshare-pid --unshare-net --unshare-ipc --die-with-parent", "--symlink usr/bin /bin --tmpfs /home/u --ro-bind /home/u/rust /home/u/rust --bind /c/tmp-1 /tmp",
		"--remount-ro /home/u --remount-ro / --chdir /c/made/step --",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %s:\n%s", want, got)
		}
	}
	if strings.Contains(got, "--cap-add") {
		t.Errorf("a user is given capabilities: %s", got)
	}
	if got := strings.Join(bubblewrap{"bwrap"}.args(true, someView()), " "); !strings.Contains(got, "--cap-drop ALL --cap-add CAP_CHOWN") {
		t.Errorf("root keeps its capabilities: %s", got)
	}
}

func TestReasonOfAHostWithoutNamespacesIsNamed(t *testing.T) {
	for _, c := range []struct{ file, value, want string }{
		{"proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "kernel.apparmor_restrict_unprivileged_userns has to be 0"},
		{"proc/sys/kernel/unprivileged_userns_clone", "0\n", "kernel.unprivileged_userns_clone has to be 1"},
		{"proc/sys/user/max_user_namespaces", "0\n", "user.max_user_namespaces has to be 10000"},
		{"proc/sys/user/max_user_namespaces", "96364\n", ""},
	} {
		cause := causeOf(fstest.MapFS{c.file: {Data: []byte(c.value)}})
		said := (&NoSandboxError{Tried: []string{"bubblewrap: not installed"}, Cause: cause}).Error()
		if c.want == "" && cause.Setting != "" || !strings.Contains(said, c.want) || !strings.Contains(said, "mage doctor") {
			t.Errorf("%s=%q: %s", c.file, c.value, said)
		}
	}
}

func TestModeIsOneOfThree(t *testing.T) {
	for text, want := range map[string]Mode{"": Auto, "auto": Auto, "require": Require, "off": Off} {
		if got, err := ParseMode(text); err != nil || got != want {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
	if _, err := ParseMode("on"); err == nil || !strings.Contains(err.Error(), "require") {
		t.Errorf("%v", err)
	}
}
