package disk

import (
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

func TestRunRefuses(t *testing.T) {
	s := sessiontest.InCheckout(t, nil)
	for want, f := range map[string]RunFlags{
		"-memory=-1: want MiB":    {GuestOptions: qemu.GuestOptions{Memory: -1}},
		"`mage image` builds one": {GuestOptions: qemu.GuestOptions{Image: "none.img"}},
		"-cpus=-1: want":          {CPUs: -1},
		"name one of them":        {GuestOptions: qemu.GuestOptions{Writable: true}, Snapshot: true},
	} {
		if err := Run(t.Context(), s, f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
