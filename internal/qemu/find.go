package qemu

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/hostpackage"
)

// NotInstalledError says that something of QEMU is missing and which package
// brings it.
type NotInstalledError struct {
	What    string // "qemu-system-aarch64"
	Package hostpackage.Package
}

// Error says how this machine gets it.
func (e *NotInstalledError) Error() string {
	return fmt.Sprintf("%s is not installed: %s", e.What, e.Package.Install(hostpackage.Here()))
}

// Find returns the path of qemu-system-<arch>. look is exec.LookPath or the
// like; its failure becomes a *NotInstalledError.
func Find(arch string, look func(string) (string, error)) (string, error) {
	name := "qemu-system-" + arch
	p, err := look(name)
	if err == nil {
		return p, nil
	}
	return "", notInstalled(name)
}

// notInstalled knows the packages by the binary's name.
func notInstalled(binary string) *NotInstalledError {
	_, arch, _ := strings.Cut(filepath.Base(binary), "qemu-system-")
	return &NotInstalledError{binary, hostpackage.QEMU(arch)}
}

// firmwarePlaces lists where packages put a pair of code and variables, without
// the leading slash, in order of preference. Secure-boot builds are left out:
// they refuse an unsigned bootloader.
var firmwarePlaces = map[string][]Firmware{
	"aarch64": {
		{"usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "usr/share/AAVMF/AAVMF_VARS.fd"},                     // Debian from 13
		{"usr/share/AAVMF/AAVMF_CODE.fd", "usr/share/AAVMF/AAVMF_VARS.fd"},                                // Debian, Ubuntu
		{"usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "usr/share/edk2/aarch64/vars-template-pflash.raw"}, // Fedora
		{"usr/share/edk2/aarch64/QEMU_CODE.fd", "usr/share/edk2/aarch64/QEMU_VARS.fd"},                    // Arch
		{"usr/share/qemu/aavmf-aarch64-code.bin", "usr/share/qemu/aavmf-aarch64-vars.bin"},                // openSUSE
		{"opt/homebrew/share/qemu/edk2-aarch64-code.fd", "opt/homebrew/share/qemu/edk2-arm-vars.fd"},      // Homebrew
		{"usr/local/share/qemu/edk2-aarch64-code.fd", "usr/local/share/qemu/edk2-arm-vars.fd"},            // Homebrew on Intel, built by hand
		{"usr/share/qemu/edk2-aarch64-code.fd", "usr/share/qemu/edk2-arm-vars.fd"},                        // QEMU's own
	},
	"x86_64": {
		{"usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"usr/share/OVMF/OVMF_CODE.fd", "usr/share/OVMF/OVMF_VARS.fd"},
		{"usr/share/edk2/ovmf/OVMF_CODE.fd", "usr/share/edk2/ovmf/OVMF_VARS.fd"},
		{"usr/share/edk2/x64/OVMF_CODE.4m.fd", "usr/share/edk2/x64/OVMF_VARS.4m.fd"},
		{"usr/share/qemu/ovmf-x86_64-code.bin", "usr/share/qemu/ovmf-x86_64-vars.bin"},
		{"opt/homebrew/share/qemu/edk2-x86_64-code.fd", "opt/homebrew/share/qemu/edk2-i386-vars.fd"},
		{"usr/local/share/qemu/edk2-x86_64-code.fd", "usr/local/share/qemu/edk2-i386-vars.fd"},
		{"usr/share/qemu/edk2-x86_64-code.fd", "usr/share/qemu/edk2-i386-vars.fd"},
	},
}

// besideQEMU is QEMU's own pair below the prefix that it was installed to.
var besideQEMU = map[string]Firmware{
	"aarch64": {"share/qemu/edk2-aarch64-code.fd", "share/qemu/edk2-arm-vars.fd"},
	"x86_64":  {"share/qemu/edk2-x86_64-code.fd", "share/qemu/edk2-i386-vars.fd"},
}

// FindFirmware returns the first pair of UEFI images for arch that is there. root
// is the file system from "/" (os.DirFS("/")); the paths returned are absolute.
// programs are where QEMU itself lies, absolute, with links and without ("" is passed over): one that is not the system's
// brings firmware of its own (Nix, Guix, MacPorts, conda, built by hand), which comes first.
// When there is none, the error is a *NotInstalledError.
func FindFirmware(root fs.FS, arch string, programs ...string) (Firmware, error) {
	places, ok := firmwarePlaces[arch]
	if !ok {
		return Firmware{}, fmt.Errorf("no UEFI firmware is known for %q", arch)
	}
	var own []Firmware
	for _, program := range programs {
		prefix := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(filepath.Dir(program))), "/")
		if program != "" && prefix != "usr" { // what the system's packages bring is in the list, the best first
			own = append(own, Firmware{path.Join(prefix, besideQEMU[arch].Code), path.Join(prefix, besideQEMU[arch].Vars)})
		}
	}
	for _, p := range append(own, places...) {
		if isFile(root, p.Code) && isFile(root, p.Vars) {
			return Firmware{"/" + p.Code, "/" + p.Vars}, nil
		}
	}
	return Firmware{}, &NotInstalledError{"UEFI firmware for " + arch, hostpackage.Firmware(arch)}
}

func isFile(root fs.FS, name string) bool {
	info, err := fs.Stat(root, name)
	return err == nil && info.Mode().IsRegular()
}

// PrivateVars copies the firmware's variables into dir, which belongs to the
// caller, and returns the firmware with the copy.
func (f Firmware) PrivateVars(dir string) (Firmware, error) {
	in, err := os.Open(f.Vars)
	if err != nil {
		return Firmware{}, err
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(dir, "vars.fd"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return Firmware{}, err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return Firmware{}, err
	}
	return Firmware{f.Code, out.Name()}, nil
}
