package pkgrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"

	"github.com/pannous/redox-clif/internal/errs"
)

// maxRounds is the depth of dependencies that the reference client follows.
const maxRounds = 100

// parallel is how many files are asked for at the same time.
const parallel = 4

// Resolved is a package of a plan.
type Resolved struct {
	Found
	By    Name // the first package that needs it, empty if it was asked for
	Round int  // 1 for what was asked for
}

// Plan is what has to be installed for some packages, in the order in which it was found: breadth first.
type Plan struct {
	Packages []Resolved
}

// Get is a package of the plan, or nil.
func (p *Plan) Get(name Name) *Resolved {
	for i := range p.Packages {
		if p.Packages[i].Name == name {
			return &p.Packages[i]
		}
	}
	return nil
}

// Chain is how a package came into the plan, from what was asked for down to name.
func (p *Plan) Chain(name Name) []Name {
	var chain []Name
	for r := p.Get(name); r != nil; r = p.Get(r.By) {
		chain = append(chain, r.Name)
	}
	slices.Reverse(chain)
	return chain
}

// Size is the number of bytes of all archives and of their files.
func (p *Plan) Size() (network, storage uint64) {
	for i := range p.Packages {
		network += p.Packages[i].NetworkSize
		storage += p.Packages[i].StorageSize
	}
	return network, storage
}

// request is a name of the next round.
type request struct{ name, by Name }

// Resolve finds packages and all they depend on. Names that installed reports are taken as satisfied; it may be nil. There are
// no versions to choose from: the first repository that has a name decides. All missing packages of a round are in the error.
func (c *Client) Resolve(ctx context.Context, names []Name, installed func(Name) bool) (*Plan, error) {
	plan, seen := &Plan{}, map[Name]bool{}
	var next []request
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			next = append(next, request{name: n})
		}
	}
	for round := 1; len(next) > 0; round++ {
		if round > maxRounds {
			return nil, fmt.Errorf("dependencies are more than %d levels deep: %s", maxRounds, chainText(plan, next[0]))
		}
		found, err := c.infos(ctx, next)
		if err != nil {
			return nil, err
		}
		var following []request
		for i, f := range found {
			plan.Packages = append(plan.Packages, Resolved{Found: *f, By: next[i].by, Round: round})
			for _, d := range f.Depends {
				if !seen[d] && (installed == nil || !installed(d)) {
					seen[d] = true
					following = append(following, request{name: d, by: f.Name})
				}
			}
		}
		next = following
	}
	return plan, c.checkPlan(plan)
}

func chainText(plan *Plan, last request) string {
	var parts []string
	for _, n := range append(plan.Chain(last.by), last.name) {
		parts = append(parts, string(n))
	}
	if len(parts) > 8 {
		parts = append(append(parts[:4:4], "…"), parts[len(parts)-3:]...)
	}
	return strings.Join(parts, " needs ")
}

// infos describes the packages of one round, in their order.
func (c *Client) infos(ctx context.Context, requests []request) ([]*Found, error) {
	found, failed := make([]*Found, len(requests)), make([]error, len(requests))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, r := range requests {
		group.Go(func() error {
			found[i], failed[i] = c.Info(ctx, r.name)
			var missing *MissingError
			if errors.As(failed[i], &missing) {
				missing.By = r.by
			}
			return nil
		})
	}
	_ = group.Wait() // failures are in failed, all of them
	return found, joined(failed)
}

// joined is nil, the only error, or a *multierror.Error.
func joined(list []error) error { return errs.One(multierror.Append(nil, list...)) }
