package execroot

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/terminal"
)

// Lasts tells whether there is a lasting folder of a key, with what a tool has left there.
func (r *Runner) Lasts(key string) (bool, error) {
	_, err := os.Stat(filepath.Join(r.Dir, filepath.FromSlash(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// LogElsewhere writes down what the command of an action, which ran in another place (see Spec.Ran), said there.
func (r *Runner) LogElsewhere(s Spec, said []byte) error {
	log := terminal.NewUncoloured(s.Log)
	_, err := log.Write([]byte("ran on " + s.Ran + "\n$ " + process.Quote(s.Action.Args) + "\n" + string(said)))
	return errors.Join(err, log.Flush())
}

// FailedElsewhere is the failure of a command that ran in another place, as one that failed here would be: the exec root is laid out, and the
// script works in it. said is what it printed, with [action.Root] for the folder that it worked in.
func (r *Runner) FailedElsewhere(ctx context.Context, s Spec, said []byte, failure error) error {
	s.Key, s.State = "", nil // a lasting folder would be taken for one in which the tool has worked
	root, done, err := r.open(ctx, s)
	if err != nil {
		return err
	}
	defer done()
	linked, err := r.layOut(ctx, s, root.dir)
	if err != nil {
		return err
	}
	defer releaseAll(linked)
	for _, l := range linked {
		root.shared = append(root.shared, l.tree)
	}
	if err := makeOutputDirs(root.dir, s.Action.Outputs); err != nil {
		return err
	}
	watch := &watcher{}
	_, _ = watch.Write([]byte(strings.ReplaceAll(string(said), action.Root, root.dir))) // it never fails
	watch.end()
	c := r.expandCommand(s, root, Command{Args: s.Action.Args, ExtraEnv: s.ExtraEnv})
	failed := &CommandError{Args: c.args, First: watch.message(), Root: root.dir, Err: failure}
	failed.Messages, failed.More = watch.errors.Messages()
	if s.LogPath != "" {
		failed.Script = scriptOf(s.LogPath)
	}
	r.keepFailed(ctx, s, root, failed)
	return failed
}
