package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/ui"
)

// The smoke kernel looks for the image at this physical address (recipes/demo/kernel/src/layout.rs).
const demoLoadAddress = 0x48000000

// watchdogSeconds is what the smoke kernel gives user space; the host waits a little longer.
const watchdogSeconds = 30

// kernelName is the smoke kernel's name in out/.
const kernelName = "smoke-kernel"

// Demo builds the embedded demo and boots it in QEMU.
func (s *Session) Demo(ctx context.Context) error {
	kernelPath := ""
	built, err := s.Build(ctx, BuildOptions{FallBack: true}, func(b *builder.Builder) ([]*graph.Node, error) {
		img, err := b.Initfs("demo")
		if err != nil {
			return nil, err
		}
		kernel, path, err := b.Kernel("demo")
		kernelPath = path
		return []*graph.Node{img, kernel}, err
	})
	if err != nil || built == nil {
		return err
	}
	if err := s.showImage(ctx, built); err != nil {
		return err
	}
	kernel := filepath.Join(s.Config.Out(), kernelName)
	e, ok, err := s.Store.Lookup(built.Output(1), kernelPath)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("the smoke kernel %s was not made", kernelPath)
	}
	if err := s.Store.PlaceFile(ctx, e.Digest, kernel, 0o755); err != nil {
		return err
	}
	return s.bootCopy(ctx, kernel)
}

// bootCopy boots a private copy of what lies in out/: another run may put another image there meanwhile.
func (s *Session) bootCopy(ctx context.Context, kernel string) error {
	dir, err := os.MkdirTemp(s.Config.Out(), ".boot-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := s.copyForBoot(ctx, kernel, dir); err != nil {
		return err
	}
	return s.bootDemo(ctx, filepath.Join(dir, builder.ImageName), filepath.Join(dir, kernelName))
}

func (s *Session) copyForBoot(ctx context.Context, kernel, dir string) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for from, to := range map[string]string{
		filepath.Join(s.Config.Out(), builder.ImageName): builder.ImageName,
		filepath.Join(s.Config.Out(), manifest.FileName): manifest.FileName,
		kernel: kernelName,
	} {
		b, err := os.ReadFile(from)
		if err != nil {
			return fmt.Errorf("nothing to boot, build it with `mage demo`: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Boot boots the demo image in out/ again, as it lies there, against its manifest.
func (s *Session) Boot(ctx context.Context) error {
	return s.bootCopy(ctx, filepath.Join(s.Config.Out(), kernelName))
}

// bootDemo boots an image under the smoke kernel and holds what it prints to the manifest beside the image.
func (s *Session) bootDemo(ctx context.Context, image, kernel string) error {
	program, err := qemu.Find("aarch64", func(name string) (string, error) {
		if path := s.lookPath(name); path != "" {
			return path, nil
		}
		return "", os.ErrNotExist
	})
	var missing *qemu.NotInstalledError
	if errors.As(err, &missing) {
		s.say("not booted: %v", missing)
		return nil
	}
	if err != nil {
		return err
	}
	m, err := s.checkedManifest(image)
	if err != nil {
		return err
	}
	r, err := s.recipe(m.Recipe)
	if err != nil {
		return err
	}
	if r.Boot == nil {
		return fmt.Errorf("%s has no [boot] table, so what a boot has to print is not known", r.Path)
	}
	nonce, err := newNonce()
	if err != nil {
		return err
	}
	machine := qemu.VirtAArch64(program)
	machine.Memory = 256
	machine.Kernel = kernel
	machine.Append = bootArguments(m, nonce)
	machine.Loaders = []qemu.Loader{{File: image, Addr: demoLoadAddress, Raw: true}}
	return s.watchDemo(ctx, machine, demoScript(m, r.Boot, nonce))
}

func (s *Session) watchDemo(ctx context.Context, machine qemu.Machine, script qemu.Script) error {
	log := filepath.Join(s.Config.Logs(), "demo.serial.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return err
	}
	opts := qemu.Options{
		Limits: qemu.Limits{Silence: (watchdogSeconds + 10) * time.Second, Total: 2 * watchdogSeconds * time.Second},
		Log:    log, Env: []string{"PATH=" + s.Config.Path, "HOME=" + s.Config.Home},
	}
	if s.Config.Verbose {
		opts.Stream = s.Streams.Out
	}
	result, err := qemu.Run(ctx, machine, script, opts)
	if err != nil {
		return err
	}
	if err := result.Err(); err != nil {
		return fmt.Errorf("the demo did not boot as it should: %w", err)
	}
	s.say("booted in QEMU in %s: %d checks passed (log: %s)", ui.Seconds(result.Elapsed), len(script.Steps), s.relative(log))
	return nil
}

// checkedManifest reads the manifest beside an image and compares the size: bytes cut off the end of a
// file that are zero look the same in the guest's memory.
func (s *Session) checkedManifest(image string) (*manifest.Manifest, error) {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(image), manifest.FileName))
	if err != nil {
		return nil, fmt.Errorf("no manifest beside the image, build it with `mage demo`: %w", err)
	}
	m, err := manifest.Read(text)
	if err != nil || m.Image == nil {
		return nil, fmt.Errorf("manifest.json beside %s describes no image", s.relative(image))
	}
	if m.Recipe != "demo" {
		return nil, fmt.Errorf("%s is the image of recipe %s, not of the demo: build it with `mage demo`", s.relative(image), m.Recipe)
	}
	info, err := os.Stat(image)
	if err != nil {
		return nil, err
	}
	if info.Size() != m.Image.Size {
		return nil, fmt.Errorf("%s has %d bytes, its manifest says %d: it was cut or replaced", s.relative(image), info.Size(), m.Image.Size)
	}
	return m, nil
}

// newNonce makes each boot's output its own: a log of an earlier boot cannot pass for this one.
func newNonce() (string, error) {
	var b [8]byte
	_, err := rand.Read(b[:])
	return hex.EncodeToString(b[:]), err
}

// bootArguments tell the smoke kernel what it must find in memory. They come from the manifest
// written when the image was packed, never from the image: a changed byte anywhere is then a panic.
func bootArguments(m *manifest.Manifest, nonce string) string {
	return fmt.Sprintf("initfs.size=%d initfs.sha256=%s bootstrap.size=%d bootstrap.sha256=%s nonce=%s watchdog=%d",
		m.Image.Size, m.Image.SHA256, m.Image.BootstrapSize, m.Image.BootstrapSHA256, nonce, watchdogSeconds)
}

// demoScript is what a right boot prints. The order of the lines is the guest's own business, except
// that it powers off after all of them; that nothing is missing is ours.
func demoScript(m *manifest.Manifest, boot *recipe.Boot, nonce string) qemu.Script {
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
