package graph

import (
	"context"
	"errors"
	"fmt"

	"github.com/pannous/redox-clif/internal/cas"
)

// maxRepairs is how often a step is begun again because a blob that it reads turned out to be
// lost. Each time what was lost has been built again; more than a few times is a broken disk.
const maxRepairs = 3

// repairing calls f with the outputs of what n depends on. When f meets a lost blob, the outputs are
// completed and f is called again.
func (b *build) repairing(t *turn, n *Node, f func(in Outputs) error) error {
	for again := 0; ; again++ {
		err := f(b.inputs(n))
		if !isMissing(err) || again == maxRepairs {
			return err
		}
		if err := b.ensureDeps(t, n, err); err != nil {
			return err
		}
	}
}

func isMissing(err error) bool {
	var missing *cas.MissingError
	return errors.As(err, &missing)
}

// ensureDeps makes sure that what n needs is really in the store: outputs of actions that
// were up to date are looked at only when somebody has missed bytes of theirs, which is the cause (nil when nobody has yet).
func (b *build) ensureDeps(t *turn, n *Node, cause error) error {
	for _, d := range n.Deps {
		if err := b.ensure(t, d, cause); err != nil {
			return err
		}
	}
	return nil
}

// ensure makes a node's output again when it has been lost or damaged.
func (b *build) ensure(t *turn, n *Node, cause error) error {
	b.repair[n].Lock()
	defer b.repair[n].Unlock()
	b.mu.Lock()
	out := b.sum.Outputs[n]
	b.mu.Unlock()
	err := b.whole(t.ctx, out, cause)
	if !isMissing(err) {
		return err
	}
	if n.Resolve == nil {
		// What is no action is read again: nothing is wrong when a store does not have a folder of the user's yet.
		b.Observer.Notice(n.ID + ": " + lossText(err, cause))
	}
	again, err := b.remake(t, n, cause)
	if err != nil {
		return failure(n, err)
	}
	if again != out {
		return &Failure{Node: n.ID, Err: fmt.Errorf("it gave other bytes when it was made again (%s, was %s); run the build once more", again.Short(), out.Short())}
	}
	return b.Store.Complete(out)
}

// whole looks whether the store has an output. Where one byte is damaged others may be, and each would cost a run of
// the step that meets it: then all are read.
func (b *build) whole(ctx context.Context, out cas.Digest, cause error) error {
	// What another machine has is no loss.
	if err := b.Store.NeedTree(ctx, out); err != nil {
		return err
	}
	var met *cas.MissingError
	if b.Distrust || errors.As(cause, &met) && met.Damaged {
		return b.Store.Intact(ctx, out)
	}
	return b.Store.Complete(out)
}

// lossText says what became of a result that is not whole. A damaged blob is dropped when it is read: of that only the reader knows.
func lossText(err, cause error) string {
	var missing, read *cas.MissingError
	if errors.As(err, &missing) && errors.As(cause, &read) && read.Digest == missing.Digest && read.Damaged {
		return fmt.Sprintf("a file of its result was damaged in the cache (blob %s); making it again", read.Digest.Short())
	}
	return fmt.Sprintf("a file of its result is gone from the cache, removed or dropped as damaged (%v); making it again", err)
}

// remake makes a node's output although its action has a result already.
func (b *build) remake(t *turn, n *Node, cause error) (cas.Digest, error) {
	if n.Resolve != nil {
		// What is lost belongs to something it is put together from.
		if err := b.ensureDeps(t, n, cause); err != nil {
			return cas.Digest{}, err
		}
		return b.resolve(t, n)
	}
	act, err := b.plan(t, n)
	if err != nil {
		return cas.Digest{}, err
	}
	if err := b.Cache.Forget(act.Digest()); err != nil {
		return cas.Digest{}, err
	}
	out, outcome, took, err := b.execute(t, n, act, true)
	b.mu.Lock()
	if err == nil {
		b.sum.Outcomes[n] = outcome
		b.sum.Took[n] = took
	}
	b.mu.Unlock()
	if err != nil {
		outcome = Failed
	}
	b.Observer.Finished(n, outcome, took, err)
	return out, err
}

// checkRoots makes sure that what the caller will read is there.
func (b *build) checkRoots(roots []*Node) error {
	t, end := b.begin(nil)
	defer end()
	for _, n := range roots {
		if err := b.ensure(t, n, nil); err != nil {
			return err
		}
	}
	return nil
}
