package prepare

import (
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/source"
)

// A build script is somebody else's program: only what runs none gets the user's credentials.
func TestOnlyWhatFetchesGetsTheUsersSettings(t *testing.T) {
	s := newSources(t, func(o *Options) {
		o.NetworkEnv, o.Transports = []string{"https_proxy=p"}, []string{"GIT_SSH_COMMAND=ssh -i key", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=a.b", "GIT_CONFIG_VALUE_0=c"}
		var err error
		if o.Overrides, err = source.LoadOverrides("overrides.toml", []byte("[mirror]\n\"https://h/\" = \"/m/\"\n"), nil, nil); err != nil {
			t.Fatal(err)
		}
	})
	own, users := s.networkEnv()
	if !slices.Contains(own, "CARGO_NET_GIT_FETCH_WITH_CLI=true") || !slices.Contains(users, "https_proxy=p") {
		t.Errorf("%q %q", own, users)
	}
	if all := strings.Join(users, " "); !strings.Contains(all, "ssh -i key") || !strings.Contains(all, "GIT_CONFIG_VALUE_0=c") || !strings.Contains(all, "GIT_CONFIG_KEY_2=url./m/.insteadOf") {
		t.Errorf("fetches: %s", all)
	}
	for _, step := range [][]string{OfflineEnv(), own} {
		if all := strings.Join(step, " "); strings.Contains(all, "ssh -i") || strings.Contains(all, "proxy") {
			t.Errorf("a script or a step that compiles holds %s", all)
		}
	}
	s.o.Offline = true
	if own, users := s.networkEnv(); !slices.Equal(own, []string{"CARGO_NET_OFFLINE=true"}) || users != nil {
		t.Errorf("offline: %q %q", own, users)
	}
}
