package guest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

func TestImageThatCannotBeBooted(t *testing.T) {
	s := sessiontest.InCheckout(t, nil)
	for image, want := range map[string]string{"": "no image to run, `mage image` builds one", s.Config.Root: "no regular file"} {
		if _, err := New(s, qemu.GuestOptions{Image: image}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", image, err)
		}
	}
}

func TestSerialLogLiesWithTheOthers(t *testing.T) {
	s := sessiontest.InCheckout(t, map[string]string{"qemu": "#!/bin/sh\necho up\n"})
	binary := filepath.Join(s.Config.Root, "qemu")
	if err := os.Chmod(binary, 0o755); err != nil {
		t.Fatal(err)
	}
	m := &qemu.Machine{Binary: binary, Type: "virt", CPU: "any", Accel: "tcg", Memory: 1}
	script := qemu.Script{Steps: []qemu.Step{{Pattern: regexp.MustCompile("^up$")}}}
	r, err := Run(t.Context(), s, "x", m, script, qemu.Limits{Silence: time.Minute, Total: time.Minute})
	if err != nil || r.Err() != nil {
		t.Fatal(err, r)
	}
	log, err := os.ReadFile(filepath.Join(s.Config.Logs(), "x.serial.log"))
	if err != nil || string(log) != "up\n" || r.Log != filepath.Join(s.Config.Logs(), "x.serial.log") {
		t.Errorf("%q, %v, %s", log, err, r.Log)
	}
}
