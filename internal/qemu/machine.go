package qemu

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Machine is a virtual machine, as data. Args turns it into a command line.
type Machine struct {
	Binary  string   // path of qemu-system-*
	Type    string   // "virt"
	Options []string // further machine options, "gic-version=3"
	ACPI    bool     // virt only
	CPU     string   // "cortex-a72"
	Accel   string   // "tcg", "kvm", "hvf"
	Memory  int      // MiB
	CPUs    int      // 0 means 1

	Kernel   string    // -kernel, an ELF or an Image; "" for none
	Append   string    // -append, with Kernel
	Loaders  []Loader  // files put in memory before the start
	Firmware *Firmware // nil for none
	Drives   []Drive
	Trace    *Trace // nil for none
	// Window shows the guest's screen in QEMU's default display; the serial line stays where it is.
	Window bool
	// Mux has the serial line share the terminal with QEMU's monitor, so that keys are the guest's, Ctrl-C among them, but those behind
	// Ctrl-A: X ends QEMU, C leads to the monitor and back.
	Mux bool

	Extra []string // arguments passed as they are, last
}

// Loader is a file QEMU's loader device copies into guest memory.
type Loader struct {
	File string
	Addr uint64 // guest-physical
	// Raw loads the bytes as they are; without it QEMU would take an ELF apart.
	Raw bool
}

// Drive is a disk.
type Drive struct {
	File     string
	Format   string // "" means raw
	Device   string // "" means virtio-blk-pci; "nvme", "virtio-blk-device"
	Writable bool   // writes reach the file; otherwise they are thrown away (snapshot=on)
	// WriteLog is an empty file that takes every write and flush of the guest, see ReplayFlushed. Writable raw drives only.
	WriteLog string
}

// Trace has QEMU write down what happens inside it.
type Trace struct {
	Events []string // names or patterns, as `qemu-system-* -trace help` lists them
	File   string   // one line for each event that happened: its name, then its values
}

// Firmware is a pair of pflash images.
type Firmware struct {
	Code string // opened read-only
	Vars string // written to: use a private copy, see PrivateVars
}

// VirtAArch64 is the profile in the package comment, without anything to boot.
func VirtAArch64(binary string) Machine {
	return Machine{Binary: binary, Type: "virt", CPU: "cortex-a72", Accel: "tcg", Memory: 2048}
}

// Args returns the arguments after the binary: deterministic, with commas in
// file names escaped. The serial line is standard input and output, there is no
// display, no monitor, no network, and a reset ends QEMU.
func (m Machine) Args() ([]string, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	machine := m.Type
	if m.Type == "virt" && !m.ACPI {
		machine += ",acpi=off"
	}
	for _, o := range m.Options {
		machine += "," + o
	}
	args := []string{
		"-M", machine, "-cpu", m.CPU, "-accel", m.Accel, "-m", fmt.Sprintf("%dM", m.Memory), "-smp", fmt.Sprint(max(m.CPUs, 1)),
	}
	if !m.Window {
		args = append(args, "-nographic")
	}
	args = append(args, m.console()...)
	args = append(args, "-net", "none", "-no-reboot")
	if m.Firmware != nil {
		args = append(args,
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+escape(m.Firmware.Code),
			"-drive", "if=pflash,unit=1,format=raw,file="+escape(m.Firmware.Vars))
	}
	if m.Kernel != "" {
		args = append(args, "-kernel", m.Kernel)
	}
	if m.Append != "" {
		args = append(args, "-append", m.Append)
	}
	for _, l := range m.Loaders {
		args = append(args, "-device", l.arg())
	}
	for i, d := range m.Drives {
		args = append(args, d.args(fmt.Sprintf("disk%d", i))...)
	}
	if m.Trace != nil {
		for _, event := range m.Trace.Events {
			args = append(args, "-trace", "enable="+escape(event))
		}
		args = append(args, "-D", m.Trace.File)
	}
	return append(args, m.Extra...), nil
}

// console is where the serial line goes.
func (m Machine) console() []string {
	if m.Mux {
		return []string{"-chardev", "stdio,id=console,mux=on,signal=off", "-serial", "chardev:console", "-mon", "chardev=console,mode=readline"}
	}
	return []string{"-monitor", "none", "-serial", "stdio"}
}

func (m Machine) check() error {
	var all *multierror.Error
	need := func(ok bool, msg string) {
		if !ok {
			all = multierror.Append(all, errors.New(msg))
		}
	}
	need(m.Binary != "", "no QEMU binary")
	need(m.Type != "", "no machine type")
	need(m.CPU != "", "no cpu")
	need(m.Accel != "", "no accelerator")
	need(m.Memory > 0, "no memory")
	need(m.Append == "" || m.Kernel != "", "kernel arguments without a kernel")
	need(m.Firmware == nil || m.Firmware.Code != "" && m.Firmware.Vars != "", "firmware needs a code and a vars file")
	for i, l := range m.Loaders {
		need(l.File != "", fmt.Sprintf("loader %d has no file", i))
	}
	for i, d := range m.Drives {
		need(d.File != "", fmt.Sprintf("drive %d has no file", i))
		need(d.WriteLog == "" || d.Writable && (d.Format == "" || d.Format == "raw"), fmt.Sprintf("drive %d has a log of writes and is not both raw and writable", i))
	}
	need(m.Trace == nil || m.Trace.File != "", "trace events without a file for them")
	return all.ErrorOrNil()
}

func (l Loader) arg() string {
	s := fmt.Sprintf("loader,file=%s,addr=%#x", escape(l.File), l.Addr)
	if l.Raw {
		s += ",force-raw=on"
	}
	return s
}

func (d Drive) args(id string) []string {
	format, device := d.Format, d.Device
	if format == "" {
		format = "raw"
	}
	if device == "" {
		device = "virtio-blk-pci"
	}
	drive := "if=none,id=" + id + ",format=" + format
	if !d.Writable {
		drive += ",snapshot=on"
	}
	drive += ",file=" + escape(d.File)
	if d.WriteLog != "" {
		drive = "if=none,id=" + id + ",driver=blklogwrites,file.driver=raw,file.file.driver=file,file.file.filename=" + escape(d.File) +
			",log.driver=raw,log.file.driver=file,log.file.filename=" + escape(d.WriteLog)
	}
	device += ",drive=" + id
	if strings.HasPrefix(device, "nvme,") {
		device += ",serial=" + id // nvme does not start without one
	}
	return []string{"-drive", drive, "-device", device}
}

// escape doubles commas, which QEMU's option lists ask for.
func escape(s string) string { return strings.ReplaceAll(s, ",", ",,") }
