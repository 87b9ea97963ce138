package pkgrepo

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func installed(t *testing.T, names ...Name) *State {
	t.Helper()
	fetched, err := fetchAll(testClient(t, nil, sample(t, 1)), names...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseState(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Add(fetched)
	return s
}

func TestState(t *testing.T) {
	s := installed(t, "tools", "libc")
	golden(t, "packages.toml", s.TOML())
	again, err := ParseState(s.TOML())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(s.TOML()), string(again.TOML())); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if _, err := ParseState([]byte("[installed.'../x']")); err == nil {
		t.Error("a path is accepted as a name")
	}
}

func TestStateRemove(t *testing.T) {
	for name, c := range map[string]struct {
		remove []Name
		gone   []Name
		err    string
	}{
		"meta":     {[]Name{"tools"}, []Name{"nano.doc", "ncurses", "terminfo", "tools", "vim"}, ""}, // libc was asked for
		"needed":   {[]Name{"ncurses", "libc"}, nil, `libc is needed by ["nano.doc", "vim"]; ncurses is needed by ["vim"]`},
		"together": {[]Name{"vim", "tools"}, []Name{"nano.doc", "ncurses", "terminfo", "tools", "vim"}, ""},
		"unknown":  {[]Name{"gone"}, nil, "gone is not installed"},
		"cycle":    {[]Name{"a"}, nil, `a is needed by ["b"]`},
	} {
		s := installed(t, "tools", "libc", "a")
		before := string(s.TOML())
		gone, err := s.Remove(c.remove)
		var failure *RemovalError
		if c.err != "" && (!errors.As(err, &failure) || err.Error() != c.err || string(s.TOML()) != before) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
		if c.err == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.gone, gone); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	s := installed(t, "libc")
	s.Protected = append(s.Protected, "libc")
	if _, err := s.Remove([]Name{"libc"}); err == nil || err.Error() != "libc is protected" {
		t.Errorf("protected: %v", err)
	}
}

// Packages that nobody asked for go with the last one that needs them, and only then.
func TestOrphans(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *State)
		gone   []Name
	}{
		"needed by nobody else": {func(*State) {}, []Name{"libc", "ncurses", "terminfo", "vim"}},
		"protected":             {func(s *State) { s.Protected = append(s.Protected, "libc") }, []Name{"ncurses", "terminfo", "vim"}},
		// Somebody else's package manager has installed it, or what needed it was taken away by force.
		"of nobody before": {func(s *State) { s.Installed["stray"] = Installed{Remote: "repo0"} }, []Name{"libc", "ncurses", "terminfo", "vim"}},
	} {
		s := installed(t, "vim")
		c.change(s)
		gone, err := s.Remove([]Name{"vim"})
		if diff := cmp.Diff(c.gone, gone); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// What was asked for once stays asked for, also when it comes again because another package needs it.
func TestWhatWasAskedForStaysAskedFor(t *testing.T) {
	s := installed(t, "libc")
	fetched, err := fetchAll(testClient(t, nil, sample(t, 1)), "vim")
	if err != nil {
		t.Fatal(err)
	}
	s.Add(fetched)
	if !s.Installed["libc"].Manual || s.Installed["ncurses"].Manual {
		t.Errorf("libc %t, ncurses %t", s.Installed["libc"].Manual, s.Installed["ncurses"].Manual)
	}
	if gone, err := s.Remove([]Name{"vim"}); err != nil || !s.Has("libc") {
		t.Errorf("removed %v, %v", gone, err)
	}
}

func TestUpgrades(t *testing.T) {
	s := installed(t, "vim")
	hash := s.Installed["ncurses"].Blake3
	indexes := []RepoIndex{
		{Repo: "other", Index: Index{Packages: map[string]string{"vim": "not from here"}}},
		{Repo: "repo0", Index: Index{Packages: map[string]string{"vim": "new", "ncurses": hash, "unknown": "x"}}},
	}
	if diff := cmp.Diff([]Name{"vim"}, s.Upgrades(indexes)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
