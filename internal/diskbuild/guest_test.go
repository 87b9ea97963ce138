package diskbuild

import (
	"strings"
	"testing"
)

func TestWindowAndShare(t *testing.T) {
	dir := t.TempDir()
	tests := map[string]string{
		"aarch64-unknown-redox-clif": "-device ramfb -device qemu-xhci",
		"x86_64-unknown-redox-clif":  "-device qemu-xhci",
	}
	for target, want := range tests {
		m := &GuestMachine{}
		m.AddWindow(target)
		if got := strings.Join(m.Extra, " "); !m.Window || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	m := &GuestMachine{}
	if err := m.Share(dir + "/no"); err == nil {
		t.Error("a folder that is not there is shared")
	}
	if err := m.Share(dir); err != nil || !strings.Contains(strings.Join(m.Extra, " "), "path="+dir+" -device virtio-9p-pci,fsdev=share,mount_tag=hostshare") {
		t.Errorf("%v: %v", err, m.Extra)
	}
}
