package qemu

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/hostpackage"
)

func TestArgs(t *testing.T) {
	m := VirtAArch64("qemu")
	m.Options, m.CPUs = []string{"gic-version=3"}, 2
	m.Kernel, m.Append = "k.elf", "a=b"
	m.Loaders = []Loader{{File: "i,1.img", Addr: 0x48000000, Raw: true}, {File: "x", Addr: 1}}
	m.Firmware = &Firmware{"code.fd", "vars.fd"}
	m.Drives = []Drive{{File: "d,.img"}, {File: "e", Format: "qcow2", Device: "nvme", Writable: true}}
	m.Drives = append(m.Drives, Drive{File: "f,", Writable: true, WriteLog: "l,"})
	m.Trace = &Trace{Events: []string{"one", "two"}, File: "t"}
	m.Extra = []string{"-d", "int"}
	got, err := m.Args()
	if err != nil {
		t.Fatal(err)
	}
	want := `-M virt,acpi=off,gic-version=3 -cpu cortex-a72 -accel tcg -m 2048M -smp 2 -nographic -monitor none -serial stdio -net none -no-reboot` +
		` -drive if=pflash,unit=0,format=raw,readonly=on,file=code.fd -drive if=pflash,unit=1,format=raw,file=vars.fd` +
		` -kernel k.elf -append a=b -device loader,file=i,,1.img,addr=0x48000000,force-raw=on -device loader,file=x,addr=0x1` +
		` -drive if=none,id=disk0,format=raw,snapshot=on,file=d,,.img -device virtio-blk-pci,drive=disk0` +
		` -drive if=none,id=disk1,format=qcow2,file=e -device nvme,drive=disk1,serial=disk1` +
		` -drive if=none,id=disk2,driver=blklogwrites,file.driver=raw,file.file.driver=file,file.file.filename=f,,` +
		`,log.driver=raw,log.file.driver=file,log.file.filename=l,, -device virtio-blk-pci,drive=disk2` +
		` -trace enable=one -trace enable=two -D t -d int`
	if diff := cmp.Diff(strings.Fields(want), got); diff != "" {
		t.Error(diff)
	}
	m.ACPI = true
	if got, _ := m.Args(); got[1] != "virt,gic-version=3" {
		t.Errorf("with ACPI: %q", got[1])
	}
}

func TestArgsReportsEverything(t *testing.T) {
	_, err := Machine{Append: "a", Firmware: &Firmware{Code: "c"}, Loaders: []Loader{{}}, Drives: []Drive{{}, {File: "f", WriteLog: "l"}}, Trace: &Trace{}}.Args()
	for _, want := range []string{"no QEMU binary", "machine type", "no cpu", "accelerator", "no memory", "without a kernel", "vars file", "loader 0", "drive 0", "drive 1 has a log", "trace events without"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
}

func TestFind(t *testing.T) {
	look := func(name string) (string, error) {
		if name == "qemu-system-aarch64" {
			return "/usr/bin/" + name, nil
		}
		return "", errors.New("no")
	}
	if p, err := Find("aarch64", look); p != "/usr/bin/qemu-system-aarch64" || err != nil {
		t.Error(p, err)
	}
	_, err := Find("x86_64", look)
	want := "qemu-system-x86_64 is not installed: " + hostpackage.QEMU("x86_64").Install(hostpackage.Here())
	if err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
}

func TestFindFirmware(t *testing.T) {
	root := fstest.MapFS{
		"usr/share/AAVMF/AAVMF_CODE.fd":                       {}, // without its variables
		"usr/share/edk2/aarch64/QEMU_EFI-pflash.raw":          {},
		"usr/share/edk2/aarch64/vars-template-pflash.raw":     {},
		"opt/homebrew/share/qemu/edk2-aarch64-code.fd":        {},
		"opt/homebrew/share/qemu/edk2-arm-vars.fd":            {},
		"usr/share/OVMF/OVMF_CODE_4M.fd/a-directory-not-file": {},
	}
	got, err := FindFirmware(root, "aarch64")
	if want := (Firmware{"/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"}); got != want || err != nil {
		t.Errorf("%v %v", got, err)
	}
	// A QEMU with a prefix of its own brings what fits it; the system's is found by the list, where the packages' comes first.
	for program, want := range map[string]string{
		"/usr/bin/qemu-system-aarch64":          "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw",
		"/opt/homebrew/bin/qemu-system-aarch64": "/opt/homebrew/share/qemu/edk2-aarch64-code.fd",
		"/gone/bin/qemu-system-aarch64":         "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw",
		"":                                      "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw",
	} {
		if got, err := FindFirmware(root, "aarch64", program); err != nil || got.Code != want {
			t.Errorf("%q: %s, %v, want %s", program, got.Code, err, want)
		}
	}
	_, err = FindFirmware(root, "x86_64")
	var absent *NotInstalledError
	if !errors.As(err, &absent) || absent.Package.Debian != "ovmf" {
		t.Errorf("error %v", err)
	}
	if _, err := FindFirmware(root, "m68k"); err == nil {
		t.Error("firmware for m68k")
	}
}

func TestPrivateVars(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	vars := filepath.Join(from, "VARS.fd")
	if err := os.WriteFile(vars, []byte("v"), 0o444); err != nil {
		t.Fatal(err)
	}
	fw, err := Firmware{"code", vars}.PrivateVars(to)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fw.Vars, []byte("changed"), 0o600); err != nil {
		t.Errorf("the copy cannot be written: %v", err)
	}
	if b, _ := os.ReadFile(vars); string(b) != "v" || fw.Code != "code" {
		t.Errorf("original %q, %v", b, fw)
	}
	if _, err := (Firmware{"c", vars + "x"}).PrivateVars(to); !os.IsNotExist(err) {
		t.Errorf("error %v", err)
	}
}
