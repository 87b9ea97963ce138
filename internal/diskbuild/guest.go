package diskbuild

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"sort"
	"strings"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
)

// GuestFlags say how a guest is started for a person.
type GuestFlags struct {
	Image   string // "" is out/<target>/pure-rust.img
	Machine string // of machineProfiles; "" is "default"
	Accel   string // "" picks what the host has
	Memory  int    // MiB; 0 is the profile's
	Port    int    // of the host, leads to the guest's ssh; 0 is defaultPort
	Share   string // folder of the host that the guest sees by 9p, in Redox as /scheme/9p.hostshare where there is a driver
	GUI     bool
	Write   bool // writes reach the image; otherwise they are forgotten at the end
}

const defaultPort = 2222

// machineProfile is a kind of machine that guests are tried on.
type machineProfile struct {
	help   string
	memory int // MiB
	cpus   int
	device string // of the disk
	extra  []string
}

var machineProfiles = map[string]machineProfile{
	"default": {"2 GiB, virtio disk", 2048, 1, "virtio-blk-pci", nil},
	"small":   {"512 MiB", 512, 1, "virtio-blk-pci", nil},
	"smp":     {"4 processors", 2048, 4, "virtio-blk-pci", nil},
	"nvme":    {"the disk as NVMe", 2048, 1, "nvme", nil},
	"gdb":     {"waits for a debugger on port 1234", 2048, 1, "virtio-blk-pci", []string{"-S", "-gdb", "tcp:127.0.0.1:1234"}},
}

func profileNames() string {
	var names []string
	for name, p := range machineProfiles {
		names = append(names, name+" ("+p.help+")")
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// GuestMachine is a machine with an image in it.
type GuestMachine struct {
	qemu.Machine
	Image string
}

// Guest makes the machine of a profile, with firmware and disk.
func Guest(s *session.Session, f GuestFlags) (*GuestMachine, error) {
	name := f.Machine
	if name == "" {
		name = "default"
	}
	p, ok := machineProfiles[name]
	if !ok {
		return nil, fmt.Errorf("there is no machine %q; there are %s", name, profileNames())
	}
	image := OrDefault(s, f.Image)
	info, err := os.Stat(image)
	if err != nil {
		return nil, fmt.Errorf("no image to run, `mage image` builds one: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", image)
	}
	arch, _, _ := strings.Cut(s.Config.Target, "-")
	binary, err := qemu.Find(arch, s.Look)
	if err != nil {
		return nil, err
	}
	firmware, err := qemu.FindFirmware(os.DirFS("/"), arch)
	if err != nil {
		return nil, err
	}
	m := qemu.VirtAArch64(binary)
	if arch == "x86_64" {
		m.Type, m.CPU, m.ACPI = "q35", "qemu64", true
	}
	m.Accel = f.Accel
	if m.Accel == "" {
		m.Accel = accelerator(runtime.GOOS, runtime.GOARCH, arch, writable("/dev/kvm"))
	}
	if m.Accel != "tcg" {
		m.CPU = "host"
	}
	m.Memory, m.CPUs, m.Firmware, m.Extra = p.memory, p.cpus, &firmware, p.extra
	if f.Memory < 0 {
		return nil, fmt.Errorf("-memory=%d: want MiB", f.Memory)
	}
	if f.Memory > 0 {
		m.Memory = f.Memory
	}
	m.Drives = []qemu.Drive{{File: image, Device: p.device, Writable: f.Write}}
	return &GuestMachine{m, image}, nil
}

// accelerator picks the fastest way to run a guest: the processor itself when it is of the guest's kind.
func accelerator(goos, goarch, guest string, kvm bool) string {
	host := map[string]string{"arm64": "aarch64", "amd64": "x86_64"}[goarch]
	switch {
	case host != guest:
		return "tcg"
	case goos == "linux" && kvm:
		return "kvm"
	case goos == "darwin":
		return "hvf"
	}
	return "tcg"
}

func writable(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// Network gives the guest a network of its own behind the host, with one port that leads in.
func (m *GuestMachine) Network(f GuestFlags) error {
	port := f.Port
	if port == 0 {
		port = defaultPort
	}
	at := fmt.Sprintf("127.0.0.1:%d", port)
	l, err := net.Listen("tcp", at)
	if err != nil {
		return fmt.Errorf("port %d of the host cannot be led to the guest, -port=N takes another: %w", port, err)
	}
	l.Close()
	m.NetworkCard(fmt.Sprintf(",hostfwd=tcp:%s-:22", at))
	return nil
}

// NetworkCard is on QEMU's user network, with more options of that.
// romfile= is empty: the ROM is for booting from the network and comes in a package of its own.
func (m *GuestMachine) NetworkCard(options string) {
	m.Extra = append(m.Extra, "-netdev", "user,id=net0"+options, "-device", "virtio-net-pci,netdev=net0,romfile=")
}

// AddWindow gives the guest a screen, and what is typed into it. Machine virt has no screen of its own, and the boot loader asks for one
// whose memory it can write to: ramfb has it, virtio-gpu-pci has not.
func (m *GuestMachine) AddWindow(target string) {
	m.Window = true
	if !strings.HasPrefix(target, "x86_64") {
		m.Extra = append(m.Extra, "-device", "ramfb")
	}
	m.Extra = append(m.Extra, "-device", "qemu-xhci", "-device", "usb-kbd", "-device", "usb-tablet")
}

func (m *GuestMachine) Share(dir string) error {
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("-share=%s is no folder", dir)
	}
	path := strings.ReplaceAll(dir, ",", ",,")
	m.Extra = append(m.Extra, "-fsdev", "local,id=share,security_model=none,path="+path, "-device", "virtio-9p-pci,fsdev=share,mount_tag=hostshare")
	return nil
}

// Hold keeps other runs of ours away from an image that the guest writes to.
func (m *GuestMachine) Hold(ctx context.Context, write bool) (func(), error) {
	if !write {
		return func() {}, nil
	}
	e, err := disk.Open(ctx, "", m.Image)
	if err != nil {
		return nil, err
	}
	return e.Close, nil
}
