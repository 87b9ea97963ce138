package bench

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/session"
)

// reproEnvironment is what the tools of the second build find around them, and the words for it.
type reproEnvironment struct {
	session.Surroundings
	text string
}

func (e reproEnvironment) String() string { return e.text }

// otherUser is the user of the second build: nobody that a machine has by default.
var otherUser = process.User{UID: 47111, GID: 47112}

// clockSource shifts the clock of programs that load it.
//
//go:embed clock/clock.rs
var clockSource []byte

// laterYear is what tools have to be told in another year: cargo would take every crate in its home for
// forgotten and remove it, and then download it again, for which no certificate is valid.
var laterYear = []string{"CARGO_CACHE_AUTO_CLEAN_FREQUENCY=never"}

// elsewhere is another user and another clock, as far as this machine gives them. What it does not give is
// said and left out.
func elsewhere(ctx context.Context, s *session.Session, tools builder.Tools, dir string) reproEnvironment {
	var e reproEnvironment
	if err := tryAs(ctx, tools, session.Surroundings{User: &otherUser}); err != nil {
		s.Say("left out: another user (%v)", err)
	} else {
		e.User = &otherUser
		e.text += fmt.Sprintf(", as user %d", otherUser.UID)
	}
	clock, library, err := buildClock(ctx, tools, dir)
	if err == nil {
		err = tryAs(ctx, tools, session.Surroundings{Env: clock})
	}
	if err != nil {
		s.Say("left out: another clock (%v)", err)
	} else {
		e.Env, e.Files = clock, []string{library}
		e.text += ", ten years later"
	}
	return e
}

// tryAs runs the compiler in some surroundings.
func tryAs(ctx context.Context, tools builder.Tools, e session.Surroundings) error {
	var out bytes.Buffer
	err := process.Exec(ctx, process.Process{Args: []string{tools.Rustc, "-V"}, Env: e.Env, Output: &out, User: e.User})
	if err != nil && out.Len() > 0 {
		return fmt.Errorf("%w: %s", err, errs.FirstLine(out.String()))
	}
	return err
}

// buildClock compiles the shifted clock for this machine.
func buildClock(ctx context.Context, tools builder.Tools, dir string) (env []string, library string, err error) {
	if runtime.GOOS != "linux" {
		return nil, "", fmt.Errorf("not on %s", runtime.GOOS)
	}
	source := filepath.Join(dir, "clock.rs")
	library = filepath.Join(dir, "libclock.so")
	if err := os.WriteFile(source, clockSource, 0o644); err != nil {
		return nil, "", err
	}
	env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir}
	if _, err := process.Output(ctx, env, tools.Rustc, "--edition", "2024", "--crate-type", "cdylib", "-O", "-o", library, source); err != nil {
		return nil, "", err
	}
	return slices.Concat(laterYear, []string{"LD_PRELOAD=" + library}), library, nil
}
