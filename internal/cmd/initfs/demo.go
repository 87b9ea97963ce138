package initfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/junit"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/smoke"
	"github.com/pannous/redox-clif/internal/ui"
)

// Demo builds the embedded demo and boots it in QEMU.
func Demo(ctx context.Context, s *session.Session, accel string) error {
	kernelPath := ""
	built, err := s.Build(ctx, session.BuildOptions{FallBack: true}, func(b *builder.Builder) ([]*graph.Node, error) {
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
	if err := showInitfs(ctx, s, built); err != nil {
		return err
	}
	kernel := filepath.Join(s.Config.Out(), smoke.KernelName)
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
	return bootCopy(ctx, s, kernel, accel)
}

// bootCopy boots a private copy of what lies in out/: another run may put another image there meanwhile.
func bootCopy(ctx context.Context, s *session.Session, kernel, accel string) error {
	dir, err := os.MkdirTemp(s.Config.Out(), ".boot-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyForBoot(ctx, s, kernel, dir); err != nil {
		return err
	}
	return bootDemo(ctx, s, filepath.Join(dir, builder.ImageName), filepath.Join(dir, smoke.KernelName), accel)
}

func copyForBoot(ctx context.Context, s *session.Session, kernel, dir string) error {
	unlock, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for from, to := range map[string]string{
		filepath.Join(s.Config.Out(), builder.ImageName): builder.ImageName,
		filepath.Join(s.Config.Out(), manifest.FileName): manifest.FileName,
		kernel: smoke.KernelName,
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
func Boot(ctx context.Context, s *session.Session) error {
	return bootCopy(ctx, s, filepath.Join(s.Config.Out(), smoke.KernelName), "")
}

// bootDemo boots an image under the smoke kernel and holds what it prints to the manifest beside the image. Without QEMU it only
// says so: the demo is built all the same.
func bootDemo(ctx context.Context, s *session.Session, image, kernel, accel string) error {
	report, err := junit.Begin(filepath.Join(s.Config.Out(), "test", "demo.xml"))
	if err != nil {
		return err
	}
	m, err := checkedManifest(s, image)
	if err != nil {
		return err
	}
	r, err := s.Recipe(m.Recipe)
	if err != nil {
		return err
	}
	if r.Boot == nil {
		return fmt.Errorf("%s has no [boot] table, so what a boot has to print is not known", r.Path)
	}
	nonce, err := smoke.NewNonce()
	if err != nil {
		return err
	}
	machine, err := smoke.Machine(s.Look, accel, kernel, image, smoke.Arguments(m, nonce))
	var missing *qemu.NotInstalledError
	if errors.As(err, &missing) {
		s.Say("not booted: %v", missing)
		return nil
	}
	if err != nil {
		return err
	}
	script := smoke.Script(m, r.Boot, nonce)
	result, err := guest.Run(ctx, s, "demo", machine, script, smoke.Limits())
	if err != nil {
		return err
	}
	if err := report.Write(outcome(result).JUnit()); err != nil {
		return err
	}
	if err := result.Err(); err != nil {
		return fmt.Errorf("the demo did not boot as it should: %w", err)
	}
	s.Say("booted in QEMU in %s: %d checks passed (log: %s)", ui.Seconds(result.Elapsed), len(script.Steps), s.Relative(result.Log))
	return nil
}

// outcome is the boot as a boot test's.
func outcome(r *qemu.Result) *boottest.Outcome {
	o := &boottest.Outcome{Name: "demo", Guest: r.Outcome, Steps: r.Steps, TookMillis: r.Elapsed.Milliseconds(), Log: r.Log}
	if err := r.Err(); err != nil {
		o.Problem = err.Error()
	}
	o.Passed = o.Problem == ""
	return o
}

// checkedManifest reads the manifest beside an image and compares the size: bytes cut off the end of a
// file that are zero look the same in the guest's memory.
func checkedManifest(s *session.Session, image string) (*manifest.Manifest, error) {
	m, err := manifest.ReadIn(filepath.Dir(image))
	if err != nil {
		return nil, fmt.Errorf("no manifest beside the image, build it with `mage demo`: %w", err)
	}
	if m.Image == nil {
		return nil, fmt.Errorf("manifest.json beside %s describes no image", s.Relative(image))
	}
	if m.Recipe != "demo" {
		return nil, fmt.Errorf("%s is the image of recipe %s, not of the demo: build it with `mage demo`", s.Relative(image), m.Recipe)
	}
	info, err := os.Stat(image)
	if err != nil {
		return nil, err
	}
	if info.Size() != m.Image.Size {
		return nil, fmt.Errorf("%s has %d bytes, its manifest says %d: it was cut or replaced", s.Relative(image), info.Size(), m.Image.Size)
	}
	return m, nil
}
