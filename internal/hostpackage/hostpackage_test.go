package hostpackage

import (
	"testing"
	"testing/fstest"
)

func TestIdentify(t *testing.T) {
	for _, test := range []struct {
		goos, release string
		want          Family
	}{
		{"linux", "ID=debian\n", Debian},
		{"linux", "NAME=x\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Debian},
		{"linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Fedora},
		{"linux", "ID=arch\n", Unknown},
		{"darwin", "", Brew},
	} {
		root := fstest.MapFS{"etc/os-release": &fstest.MapFile{Data: []byte(test.release)}}
		if got := Identify(test.goos, root); got != test.want {
			t.Errorf("%q: got %q, want %q", test.release, got, test.want)
		}
	}
	if got := Identify("linux", fstest.MapFS{}); got != Unknown {
		t.Errorf("without os-release: %q", got)
	}
}

// Every machine is told a command that it has.
func TestInstall(t *testing.T) {
	for _, test := range []struct {
		p      Package
		family Family
		want   string
	}{
		{CC, Debian, "sudo apt install gcc libc6-dev"},
		{CC, Fedora, "sudo dnf install gcc"},
		{CC, Brew, "xcode-select --install"},
		{QEMU("aarch64"), Brew, "brew install qemu"},
		{QEMU("x86_64"), Fedora, "sudo dnf install qemu-system-x86"},
		{Firmware("x86_64"), Debian, "sudo apt install ovmf"},
		{Clang, Unknown, "sudo apt install clang lld (Debian, Ubuntu), sudo dnf install clang lld (Fedora) or brew install llvm lld (macOS)"},
	} {
		if got := test.p.Install(test.family); got != test.want {
			t.Errorf("%v on %q: %s, want %s", test.p, test.family, got, test.want)
		}
	}
}
