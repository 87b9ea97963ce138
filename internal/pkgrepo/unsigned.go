package pkgrepo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lukechampine.com/blake3"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo/trust"
)

// What can be held against a repository in upstream's form, whose descriptions nobody signed: that it goes back behind what was seen
// before, and that it gives one archive for two packages. What an archive is called and what it needs is not part of it.

// OrderError says that a repository without a signed index offers what was followed by something newer before, or an archive for two names.
type OrderError struct {
	Repo string
	File string // with what was seen
	Err  error
	// Downgrade says that Config.Downgrade takes it all the same.
	Downgrade bool
}

func (e *OrderError) Error() string {
	return fmt.Sprintf("%v; %s remembers what was seen of repository %s", e.Err, e.File, e.Repo)
}

func (e *OrderError) Unwrap() error { return e.Err }

// emptyTable is the hash of a table without entries. Such an archive has nothing that could be taken for another package's files.
func emptyTable() pkgar.Hash { return blake3.Sum256(nil) }

// checkUnsigned compares a description with what was seen before, and with the list.
func (c *Client) checkUnsigned(ctx context.Context, r *repo, name Name, p *Package) error {
	m, err := c.trust.Repository(r.Name)
	if err != nil {
		return err
	}
	key, err := c.repoKey(ctx, r)
	if errors.Is(err, ErrOffline) {
		return nil // nothing can be fetched either
	}
	if err != nil {
		return err
	}
	offer := trust.Offer{Target: c.config.Target, Name: string(name), Key: key.String(), Version: p.Version, Table: p.Blake3}
	refused := func(err error, downgrade bool) error {
		return &OrderError{Repo: r.Name, File: c.trust.File(r.Name), Err: err, Downgrade: downgrade}
	}
	if !c.config.Downgrade {
		if err := m.CheckOrder(offer); err != nil {
			return refused(err, true)
		}
	}
	if p.IsMeta() || p.Blake3 == emptyTable().String() {
		return nil
	}
	if err := m.CheckName(offer); err != nil {
		return refused(err, false)
	}
	list, err := c.listOf(ctx, r)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrOffline) {
		return nil // upstream's client does without it
	}
	if err != nil {
		return err
	}
	for other, table := range list.Packages {
		if table == p.Blake3 && other != string(name) {
			return refused(twoNames(string(name), other), false)
		}
	}
	return nil
}

func twoNames(name, other string) error {
	return &trust.PackageError{Name: name, Problem: fmt.Sprintf("its archive is that of package %q as well: one archive does not serve two names", other)}
}

// checkPlan refuses a plan with one archive for two names, of a repository whose index does not vouch for that.
func (c *Client) checkPlan(plan *Plan) error {
	first := map[[2]string]Name{}
	var all []error
	for i := range plan.Packages {
		p := &plan.Packages[i]
		if p.IsMeta() || p.Serial > 0 || p.Blake3 == emptyTable().String() {
			continue
		}
		key := [2]string{p.Repo, p.Blake3}
		if other, ok := first[key]; ok && other != p.Name {
			all = append(all, &OrderError{Repo: p.Repo, File: c.trust.File(p.Repo), Err: twoNames(string(p.Name), string(other))})
			continue
		}
		first[key] = p.Name
	}
	return joined(all)
}

// NameError says that a package of this name came from somebody else before.
type NameError struct {
	Name         Name
	Repo         string
	Before       trust.Name
	File         string // with the keys of names
	Key, WantKey string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("package %s: repository %s has it, signed by %s, but since %s it came from %s, signed by %s; -repo=URL of %s alone takes it from there (%s)",
		e.Name, e.Repo, e.Key, e.Before.Since.UTC().Format(time.DateOnly), e.Before.Repo, e.WantKey, e.Repo, e.File)
}

// rememberFetched remembers packages whose archives were verified. Where several repositories are asked, a name stays with the key that
// it came from first: else who keeps the first repository from answering chooses the next. Who names one repository, means it.
func (c *Client) rememberFetched(ctx context.Context, fetched []Fetched) error {
	remember := func(names map[string]trust.Name) error {
		var all []error
		for i := range fetched {
			if f := &fetched[i]; !f.IsMeta() {
				all = append(all, c.rememberName(names, f))
			}
		}
		return joined(all)
	}
	if c.config.Offline { // nothing new is seen, and the cache may be one that cannot be written to
		names, err := c.trust.Names()
		if err != nil {
			return err
		}
		return remember(names)
	}
	if err := c.trust.UpdateNames(ctx, remember); err != nil {
		return err
	}
	for _, r := range c.repos {
		if err := c.rememberPackages(ctx, r, fetched); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) rememberName(names map[string]trust.Name, f *Fetched) error {
	at := c.config.Target + "/" + string(f.Name)
	before, ok := names[at]
	if ok && before.Key == f.Key.String() {
		return nil
	}
	if ok && len(c.repos) > 1 {
		return &NameError{Name: f.Name, Repo: f.Repo, Before: before, File: c.trust.NamesFile(), Key: f.Key.String(), WantKey: before.Key}
	}
	names[at] = trust.Name{Key: f.Key.String(), Repo: f.Repo, Since: c.config.Now().UTC()}
	return nil
}

// rememberPackages remembers the packages of one repository that no index vouches for.
func (c *Client) rememberPackages(ctx context.Context, r *repo, fetched []Fetched) error {
	var own []*Fetched
	for i := range fetched {
		if f := &fetched[i]; f.Repo == r.Name && f.Serial == 0 && !f.IsMeta() {
			own = append(own, f)
		}
	}
	if len(own) == 0 {
		return nil
	}
	return c.trust.Update(ctx, r.Name, func(m *trust.Repository) error {
		for _, f := range own {
			m.SawPackage(trust.Offer{Target: c.config.Target, Name: string(f.Name), Key: f.Key.String(), Version: f.Version, Table: f.Blake3})
		}
		return nil
	})
}
