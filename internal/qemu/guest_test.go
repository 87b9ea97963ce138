package qemu

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
)

func TestAccelerator(t *testing.T) {
	tests := []struct {
		goos, goarch, guest string
		kvm                 bool
		want                string
	}{
		{"linux", "amd64", "aarch64", true, "tcg"},
		{"linux", "arm64", "aarch64", true, "kvm"},
		{"linux", "arm64", "aarch64", false, "tcg"},
		{"darwin", "arm64", "aarch64", false, "hvf"},
		{"darwin", "arm64", "x86_64", false, "tcg"},
		{"linux", "amd64", "x86_64", true, "kvm"},
	}
	for _, tt := range tests {
		if got := accelerator(tt.goos, tt.goarch, tt.guest, tt.kvm); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

// TestAccelerate: what QEMU runs on an Apple processor is the processor itself, on a machine without ACPI; an emulated one stays as it
// was.
func TestAccelerate(t *testing.T) {
	for accel, want := range map[string]string{
		"hvf": "-M virt,acpi=off -cpu host -accel hvf", "kvm": "-M virt,acpi=off -cpu host -accel kvm", "tcg": "-M virt,acpi=off -cpu cortex-a72 -accel tcg",
	} {
		m := VirtAArch64("qemu")
		m.Accelerate(accel)
		args, err := m.Args()
		if got := strings.Join(args, " "); err != nil || !strings.HasPrefix(got, want+" ") {
			t.Errorf("%s: %s, %v", accel, got, err)
		}
	}
}

func TestFindProfile(t *testing.T) {
	for name, want := range map[string]string{"": "default", "default": "default", "nvme": "nvme"} {
		if p, err := findProfile(name); p.Name != want || err != nil {
			t.Errorf("%q: %q, %v", name, p.Name, err)
		}
	}
	_, err := findProfile("big")
	if err == nil || !strings.HasPrefix(err.Error(), `there is no machine "big"; there are default (2 GiB, virtio disk), gdb (waits`) {
		t.Error(err)
	}
	for _, p := range Profiles() {
		if p.Name == "" || p.Help == "" || p.Memory == 0 || p.CPUs == 0 {
			t.Errorf("%+v is not complete", p)
		}
	}
}

func TestNewGuestWithoutQEMU(t *testing.T) {
	_, err := NewGuest(GuestOptions{Arch: "x86_64"}, func(string) (string, error) { return "", errors.New("no") })
	var absent *NotInstalledError
	if !errors.As(err, &absent) || absent.What != "qemu-system-x86_64" {
		t.Error(err)
	}
}

func TestWindowAndShare(t *testing.T) {
	dir := t.TempDir()
	for machine, want := range map[string]string{"virt": "-device ramfb -device qemu-xhci", "q35": "-device qemu-xhci"} {
		m := &Machine{Type: machine}
		m.AddWindow()
		if got := strings.Join(m.Extra, " "); !m.Window || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", machine, got, want)
		}
	}
	m := &Machine{}
	if err := m.AddShare(dir + "/no"); err == nil {
		t.Error("a folder that is not there is shared")
	}
	if err := m.AddShare(dir); err != nil || !strings.Contains(strings.Join(m.Extra, " "), "path="+dir+" -device virtio-9p-pci,fsdev=share,mount_tag=hostshare") {
		t.Errorf("%v: %v", err, m.Extra)
	}
}

func TestPortOfTheHost(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	m := &Machine{}
	if err := m.AddNetwork(Forward{Host: port, Guest: 22}); err == nil || len(m.Extra) > 0 {
		t.Errorf("a port that is taken leads to the guest: %v", m.Extra)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.AddNetwork(Forward{Host: port, Guest: 22}); err != nil || !strings.Contains(strings.Join(m.Extra, " "), "-:22 -device virtio-net-pci") {
		t.Errorf("%v: %v", err, m.Extra)
	}
}

func TestAttach(t *testing.T) {
	var out, errs strings.Builder
	console := Console{In: strings.NewReader("me\n"), Out: &out, Err: &errs}
	if err := Attach(t.Context(), fakeMachine(), console, []string{"FAKE_QEMU=login"}); err != nil || !strings.Contains(out.String(), "welcome me") {
		t.Errorf("%v, %q", err, out.String())
	}
	err := Attach(t.Context(), fakeMachine(), console, []string{"FAKE_QEMU=broken"})
	if err == nil || err.Error() != "QEMU ended with exit status 1" || !strings.Contains(errs.String(), "unsupported machine type") {
		t.Errorf("%v, %q", err, errs.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Attach(ctx, fakeMachine(), console, []string{"FAKE_QEMU=sleep"}); err != nil {
		t.Errorf("ended by who started it: %v", err)
	}
}
