package trust

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

func TestIndex(t *testing.T) {
	var r Repository
	r.SawIndex("p", "t", Index{"k", "a", 5, "d5"})
	for _, test := range []struct {
		place, target string
		x             Index
		want          IndexProblem
	}{
		{"p", "t", Index{"k", "a", 5, "d5"}, ""}, {"p", "t", Index{"k", "a", 6, "d6"}, ""}, {"p", "t", Index{"k", "a", 4, "d4"}, Fell},
		{"p", "t", Index{"k", "a", 5, "other"}, Different}, {"q", "t", Index{"k", "b", 1, "d1"}, ""}, {"p", "t", Index{"another key", "b", 1, "d1"}, ""},
		// Another repository of the same key, whose serial is higher, or that is seen for another target, or that says nothing of itself.
		{"p", "t", Index{"k", "b", 9, "d9"}, Another}, {"p", "u", Index{"k", "b", 1, "d1"}, Another}, {"p", "t", Index{"k", "", 9, "d9"}, Another},
		{"p", "u", Index{"k", "a", 1, "d1"}, ""},
	} {
		if got := r.CheckIndex(test.place, test.target, test.x); got != test.want {
			t.Errorf("%v: %q, want %q", test.x, got, test.want)
		}
	}
	r.SawIndex("p", "t", Index{"k", "a", 4, "d4"})
	if r.Indexes["p t"].Serial != 5 {
		t.Errorf("the highest serial did not stay: %v", r.Indexes)
	}
}

// An index of an earlier version has no identity. The first that has one is remembered.
func TestIdentityIsLearned(t *testing.T) {
	var r Repository
	r.SawIndex("p", "t", Index{"k", "", 5, "d5"})
	next := Index{"k", "a", 6, "d6"}
	if got := r.CheckIndex("p", "t", next); got != "" {
		t.Error(got)
	}
	r.SawIndex("p", "t", next)
	if got := r.CheckIndex("p", "t", Index{"k", "", 7, "d7"}); got != Another {
		t.Errorf("%q", got)
	}
}

func TestPackages(t *testing.T) {
	var r Repository
	r.SawPackage(Offer{"t", "vim", "k", "1", "h1"})
	r.SawPackage(Offer{"t", "vim", "k", "2", "h2"})
	r.SawPackage(Offer{"t", "git", "k", "git-a", "g1"})
	r.SawPackage(Offer{"t", "git", "k", "git-b", "g2"})
	for _, test := range []struct {
		name, version, table string
		fine                 bool
	}{
		{"vim", "2", "h2", true}, {"vim", "3", "h3", true}, {"vim", "2", "rebuilt", true}, {"vim", "1.9", "h3", false},
		{"vim", "99", "h1", false}, // the old archive with a version of the attacker's
		{"git", "git-b", "g2", true}, {"git", "git-c", "g3", true}, {"git", "git-a", "g1", false}, {"vim", "", "", false}, {"new", "1", "n", true},
	} {
		if err := r.CheckOrder(Offer{"t", test.name, "k", test.version, test.table}); (err == nil) != test.fine {
			t.Errorf("%v: %v", test, err)
		}
	}
	for table, fine := range map[string]bool{"h1": false, "h2": false, "h3": true, "g1": false} {
		if err := r.CheckName(Offer{"t", "sudo", "k", "1", table}); (err == nil) != fine {
			t.Errorf("%s as sudo: %v", table, err)
		}
	}
	if err := r.CheckName(Offer{"t", "vim", "k", "1", "h1"}); err != nil {
		t.Errorf("its own: %v", err)
	}
	// The key that the user gives was changed: everything begins anew.
	if err := r.CheckOrder(Offer{"t", "vim", "another", "1", "h1"}); err != nil {
		t.Errorf("another key: %v", err)
	}
	// What is older is not remembered as the newest.
	r.SawPackage(Offer{"t", "vim", "k", "1", "h1"})
	if got := r.Packages["t/vim"]; got.Version != "2" || got.Table != "h2" || len(got.Before) != 1 {
		t.Errorf("%v", got)
	}
	for i := range 2 * maxBefore {
		r.SawPackage(Offer{"t", "vim", "k", "2", fmt.Sprint(i)})
	}
	if got := r.Packages["t/vim"].Before; len(got) != maxBefore || got[maxBefore-1] != fmt.Sprint(2*maxBefore-2) {
		t.Errorf("%d remembered, up to %s", len(got), got[len(got)-1])
	}
}

// Names of repositories are not paths.
func TestFiles(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	for _, name := range []string{"..", "/a/b", "https://h/x", "names", "ü\n", strings.Repeat("/a", 500), strings.Repeat("/a", 501)} {
		if err := s.Update(t.Context(), name, func(r *Repository) error { r.Key = name; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"..", "/a/b", "https://h/x", "names", "ü\n", strings.Repeat("/a", 500), strings.Repeat("/a", 501)} {
		if r, err := s.Repository(name); err != nil || r.Key != name {
			t.Errorf("%q: %v, %v", name, r, err)
		}
	}
	if entries, err := os.ReadDir(s.Dir); err != nil || len(entries) != 21 {
		t.Errorf("%v, %v", entries, err)
	}
}

// Processes that change the same memory do not lose each other's changes, and a change that fails changes nothing.
func TestTogether(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			err := s.Update(context.Background(), "r", func(r *Repository) error {
				r.SawPackage(Offer{"t", fmt.Sprint(i), "k", "1", fmt.Sprint(i)})
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	refused := errors.New("refused")
	if err := s.Update(t.Context(), "r", func(r *Repository) error { r.Packages = nil; return refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	if r, err := s.Repository("r"); err != nil || len(r.Packages) != 20 {
		t.Errorf("%v, %v", r, err)
	}
}

// An update that was killed between the two copies has happened.
func TestKilledBetweenCopies(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	set := func(key string) {
		t.Helper()
		if err := s.Update(t.Context(), "r", func(r *Repository) error { r.Key = key; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set("old")
	before, err := os.ReadFile(s.File("r"))
	if err != nil {
		t.Fatal(err)
	}
	set("new")
	if err := os.WriteFile(s.File("r"), before, 0o644); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Repository("r"); err != nil || r.Key != "new" {
		t.Errorf("%v, %v", r, err)
	}
}
