package smoke

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/recipe"
)

// loadAddress is where the smoke kernel looks for the image, guest-physical (recipes/demo/kernel/src/layout.rs).
const loadAddress = 0x48000000

// watchdogSeconds is what the smoke kernel gives user space.
const watchdogSeconds = 30

// Limits are those of a right boot. The host waits a little longer than the smoke kernel, whose message says more.
func Limits() qemu.Limits {
	return qemu.Limits{Silence: (watchdogSeconds + 10) * time.Second, Total: 2 * watchdogSeconds * time.Second}
}

// KernelName is the smoke kernel's name in out/.
const KernelName = "smoke-kernel"

// NewNonce makes each boot's output its own: a log of an earlier boot cannot pass for this one.
func NewNonce() (string, error) {
	var b [8]byte
	_, err := rand.Read(b[:])
	return hex.EncodeToString(b[:]), err
}

// Machine is the one that the smoke kernel is made for, with an image where it looks for it. arguments are those of Arguments. look
// finds programs, as exec.LookPath does; the error may be a *qemu.NotInstalledError. accel is QEMU's accelerator; "" is the one that runs
// the same guest everywhere.
func Machine(look func(string) (string, error), accel, kernel, image, arguments string) (*qemu.Machine, error) {
	program, err := qemu.Find("aarch64", look)
	if err != nil {
		return nil, err
	}
	m := qemu.VirtAArch64(program)
	m.Memory = 256
	if accel != "" {
		m.Accelerate(accel)
	}
	m.Kernel, m.Append = kernel, arguments
	m.Loaders = []qemu.Loader{{File: image, Addr: loadAddress, Raw: true}}
	return &m, nil
}

// Arguments tell the smoke kernel what it must find in memory. They come from the manifest
// written when the image was packed, never from the image: a changed byte anywhere is then a panic.
func Arguments(m *manifest.Manifest, nonce string) string {
	return fmt.Sprintf("initfs.size=%d initfs.sha256=%s bootstrap.size=%d bootstrap.sha256=%s nonce=%s watchdog=%d",
		m.Image.Size, m.Image.SHA256, m.Image.BootstrapSize, m.Image.BootstrapSHA256, nonce, watchdogSeconds)
}

// Script is what a right boot prints. The order of the lines is the guest's own business, except
// that it powers off after all of them; that nothing is missing is ours.
func Script(m *manifest.Manifest, boot *recipe.Boot, nonce string) qemu.Script {
	q := regexp.QuoteMeta
	var steps []qemu.Step
	see := func(pattern string, args ...any) {
		steps = append(steps, qemu.Step{Pattern: regexp.MustCompile("^" + fmt.Sprintf(pattern, args...) + "$")})
	}
	claim := func(name, claim, pattern string) {
		steps = append(steps, qemu.Step{Name: name, Claim: regexp.MustCompile(claim), Pattern: regexp.MustCompile(pattern)})
	}
	see(`smoke: redox-clif smoke kernel, aarch64 EL1, timer \d+ Hz`)
	see(`smoke: image size=%d sha256=%s`, m.Image.Size, m.Image.SHA256)
	see(`smoke: bootstrap size=%d sha256=%s`, m.Image.BootstrapSize, m.Image.BootstrapSHA256)
	see(`smoke: entering EL0 at 0x%x`, m.Image.Entry)
	see(`bootstrap: initfs v%d at 0x1000, %d bytes, \d+ inodes`, m.Image.Layout, m.Image.Size)
	see(`bootstrap: exec /bin/init size=\d+ entry=0x[0-9a-f]+`)
	see(`init: /bin/init started, \d+ ms after power-on`)
	see(`args: NONCE=%s`, nonce)
	for _, f := range m.Files {
		see(`list file %s %d %s`, f.Mode, f.Size, q(f.Path))
		see(`sum %s %d %s`, f.SHA256, f.Size, q(f.Path))
	}
	for _, program := range slices.Sorted(maps.Keys(boot.Exits)) {
		claim("exit status of "+program, `^exit \d+ `+q(program)+`$`, fmt.Sprintf(`^exit %d %s$`, boot.Exits[program], q(program)))
	}
	for _, name := range boot.Canaries {
		claim("canary "+name, `^canary `+q(name)+` `, `^canary `+q(name)+` ok `)
	}
	see(`demo: done nonce=%s canaries=%d failed=0`, nonce, len(boot.Canaries))
	see(`smoke: the first process exited with status 0`)
	see(`smoke: power off after \d+ ms`)
	return qemu.Script{
		Steps: steps, Unordered: true, PowerOff: true,
		Forbidden: []*regexp.Regexp{regexp.MustCompile(`PANIC:`), regexp.MustCompile(`^canary \S+ FAIL`)},
	}
}
