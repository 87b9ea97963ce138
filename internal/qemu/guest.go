package qemu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Profile is a kind of machine that guests are tried on.
type Profile struct {
	Name   string
	Help   string // a few words for a list of profiles
	Memory int    // MiB
	CPUs   int
	Device string   // of the disk, see Drive
	Extra  []string // see Machine
}

// Profiles are the machines that can be asked for by name. The first is the one for who asks for none.
func Profiles() []Profile {
	return []Profile{
		{Name: "default", Help: "2 GiB, virtio disk", Memory: 2048, CPUs: 1},
		{Name: "gdb", Help: "waits for a debugger on port 1234", Memory: 2048, CPUs: 1, Extra: []string{"-S", "-gdb", "tcp:127.0.0.1:1234"}},
		{Name: "nvme", Help: "the disk as NVMe", Memory: 2048, CPUs: 1, Device: "nvme"},
		{Name: "small", Help: "512 MiB", Memory: 512, CPUs: 1},
		{Name: "smp", Help: "4 processors", Memory: 2048, CPUs: 4},
	}
}

func findProfile(name string) (Profile, error) {
	var known []string
	for i, p := range Profiles() {
		if p.Name == name || name == "" && i == 0 {
			return p, nil
		}
		known = append(known, p.Name+" ("+p.Help+")")
	}
	return Profile{}, fmt.Errorf("there is no machine %q; there are %s", name, strings.Join(known, ", "))
}

// GuestOptions say what machine an image is booted in by firmware.
type GuestOptions struct {
	Arch     string // of the guest: "aarch64" or "x86_64"
	Image    string // a raw disk
	Profile  string // name of one of Profiles; "" is the first
	Accel    string // "" picks the fastest that the host has
	Memory   int    // MiB; 0 is the profile's
	Writable bool   // the guest's writes reach the image; otherwise they are forgotten at the end
}

// NewGuest makes the machine of a profile, with firmware and the image as its disk. look finds programs, as exec.LookPath
// does; the firmware and /dev/kvm are looked for where this host has them. The error may be a *NotInstalledError.
func NewGuest(o GuestOptions, look func(string) (string, error)) (*Machine, error) {
	p, err := findProfile(o.Profile)
	if err != nil {
		return nil, err
	}
	binary, err := Find(o.Arch, look)
	if err != nil {
		return nil, err
	}
	real, err := filepath.EvalSymlinks(binary)
	if err != nil {
		return nil, err
	}
	firmware, err := FindFirmware(os.DirFS("/"), o.Arch, binary, real)
	if err != nil {
		return nil, err
	}
	m := VirtAArch64(binary)
	if o.Arch == "x86_64" {
		m.Type, m.CPU, m.ACPI = "q35", "qemu64", true
	}
	m.Accelerate(cmp.Or(o.Accel, accelerator(runtime.GOOS, runtime.GOARCH, o.Arch, writable("/dev/kvm"))))
	m.Memory, m.CPUs, m.Firmware, m.Extra = p.Memory, p.CPUs, &firmware, p.Extra
	if o.Memory != 0 {
		m.Memory = o.Memory
	}
	m.Drives = []Drive{{File: o.Image, Device: p.Device, Writable: o.Writable}}
	return &m, nil
}

// Accelerate has the guest run by an accelerator: "tcg", which emulates any processor, or one that has this machine's run the guest
// (kvm, hvf), which then has the processor that the machine has. What QEMU's virt needs beside that for HVF, no ACPI, is the default here.
func (m *Machine) Accelerate(name string) {
	m.Accel = name
	if name != "tcg" {
		m.CPU = "host"
	}
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
	return f.Close() == nil
}

// UsePrivateVars gives the machine's firmware, if there is one, a copy of its variables in dir, see PrivateVars.
func (m *Machine) UsePrivateVars(dir string) error {
	if m.Firmware == nil {
		return nil
	}
	firmware, err := m.Firmware.PrivateVars(dir)
	if err == nil {
		m.Firmware = &firmware
	}
	return err
}

// Forward is a port of the host's loopback device that leads to one of the guest.
type Forward struct {
	UDP         bool
	Host, Guest int
}

// String is the forward as ParseForward reads it.
func (f Forward) String() string {
	text := fmt.Sprintf("%d:%d", f.Host, f.Guest)
	if f.UDP {
		text += "/udp"
	}
	return text
}

// ParseForward reads HOST:GUEST, by TCP, or HOST:GUEST/udp. HOST alone leads to the guest's ssh.
func ParseForward(text string) (Forward, error) {
	ports, protocol, given := strings.Cut(text, "/")
	f := Forward{UDP: protocol == "udp"}
	if given && protocol != "udp" && protocol != "tcp" {
		return f, fmt.Errorf("%q: %q is neither tcp nor udp", text, protocol)
	}
	host, guest, both := strings.Cut(ports, ":")
	if !both {
		guest = strconv.Itoa(guestSSH)
	}
	for _, port := range []struct {
		text string
		to   *int
	}{{host, &f.Host}, {guest, &f.Guest}} {
		n, err := strconv.ParseUint(port.text, 10, 16)
		if err != nil || n == 0 {
			return f, fmt.Errorf("%q: want HOST:GUEST, two ports from 1 to 65535", text)
		}
		*port.to = int(n)
	}
	return f, nil
}

const guestSSH = 22

// AddNetwork gives the guest a network card on QEMU's user network, behind the host, with ports of the host's that lead to it. It is a
// *TakenError when one of the host's is taken.
func (m *Machine) AddNetwork(forwards ...Forward) error {
	options := ""
	for _, f := range forwards {
		if err := f.free(); err != nil {
			return &TakenError{f, err}
		}
		options += fmt.Sprintf(",hostfwd=%s:127.0.0.1:%d-:%d", f.protocol(), f.Host, f.Guest)
	}
	// The ROM is for booting from the network and comes in a package of its own.
	m.Extra = append(m.Extra, "-netdev", "user,id=net0"+options, "-device", "virtio-net-pci,netdev=net0,romfile=")
	return nil
}

// TakenError says that a port of the host cannot be led to a guest.
type TakenError struct {
	Forward Forward
	err     error
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("port %d of the host cannot be led to the guest: %v", e.Forward.Host, e.err)
}

func (e *TakenError) Unwrap() error { return e.err }

func (f Forward) protocol() string {
	if f.UDP {
		return "udp"
	}
	return "tcp"
}

// free only asks whether the port is.
func (f Forward) free() error {
	at := fmt.Sprintf("127.0.0.1:%d", f.Host)
	if f.UDP {
		c, err := net.ListenPacket("udp", at)
		if err == nil {
			err = c.Close()
		}
		return err
	}
	l, err := net.Listen("tcp", at)
	if err == nil {
		err = l.Close()
	}
	return err
}

// AddWindow gives the guest a screen, and what is typed into it. Machine virt has no screen of its own, and a UEFI boot loader asks
// for one whose memory it can write to: ramfb has it, virtio-gpu-pci has not.
func (m *Machine) AddWindow() {
	m.Window = true
	if m.Type == "virt" {
		m.Extra = append(m.Extra, "-device", "ramfb")
	}
	m.Extra = append(m.Extra, "-device", "qemu-xhci", "-device", "usb-kbd", "-device", "usb-tablet")
}

// AddShare shows the guest a folder of the host by 9p, under the tag hostshare.
func (m *Machine) AddShare(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder", dir)
	}
	m.Extra = append(m.Extra, "-fsdev", "local,id=share,security_model=none,path="+escape(dir), "-device", "virtio-9p-pci,fsdev=share,mount_tag=hostshare")
	return nil
}

// Console is what a guest's serial line is joined to.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
	Apart    bool // signals of the terminal, such as Ctrl-C, do not reach QEMU
	// Started, if set, is called when QEMU runs.
	Started func()
}

// Attach runs the machine with its serial line on a console until it ends by itself or ctx ends it, which is no error: it is how
// one leaves a guest. QEMU stays in the caller's process group, so that a terminal's Ctrl-C reaches it. env is its whole
// environment.
func Attach(ctx context.Context, m Machine, c Console, env []string) error {
	args, err := m.Args()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, m.Binary, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.In, c.Out, c.Err
	cmd.Env = append([]string{}, env...) // not nil, which would mean ours
	if c.Apart {
		cmd.SysProcAttr = apart()
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err = cmd.Start(); err == nil {
		if c.Started != nil {
			c.Started()
		}
		err = cmd.Wait()
	}
	if ctx.Err() != nil {
		return nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("QEMU ended with %w", err)
	}
	return err
}
