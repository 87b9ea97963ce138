package prepare

import (
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/source"
)

// A build script is somebody else's program: only what runs none gets the user's credentials.
func TestOnlyWhatFetchesGetsTheTransports(t *testing.T) {
	s := newSources(t, func(o *Options) {
		o.NetworkEnv, o.Transports = []string{"https_proxy=p"}, []string{"GIT_SSH_COMMAND=ssh -i key", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=a.b", "GIT_CONFIG_VALUE_0=c"}
		var err error
		if o.Overrides, err = source.LoadOverrides("overrides.toml", []byte("[mirror]\n\"https://h/\" = \"/m/\"\n"), nil, nil); err != nil {
			t.Fatal(err)
		}
	})
	builds, fetches := s.NetworkEnv(), s.networkEnv(s.o.Transports)
	for _, env := range [][]string{builds, fetches} {
		if !slices.Contains(env, "https_proxy=p") || !slices.Contains(env, "CARGO_NET_GIT_FETCH_WITH_CLI=true") {
			t.Errorf("%q", env)
		}
	}
	if all := strings.Join(builds, " "); strings.Contains(all, "ssh -i") || !strings.Contains(all, "GIT_CONFIG_KEY_1=url./m/.insteadOf GIT_CONFIG_VALUE_1=https://h/ GIT_CONFIG_COUNT=2") {
		t.Errorf("builds: %s", all)
	}
	if all := strings.Join(fetches, " "); !strings.Contains(all, "ssh -i key") || !strings.Contains(all, "GIT_CONFIG_VALUE_0=c") || !strings.Contains(all, "GIT_CONFIG_KEY_2=url./m/.insteadOf") {
		t.Errorf("fetches: %s", all)
	}
	s.o.Offline = true
	if got := s.networkEnv(s.o.Transports); !slices.Equal(got, []string{"CARGO_NET_OFFLINE=true"}) {
		t.Errorf("offline: %q", got)
	}
}
