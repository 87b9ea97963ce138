package devloop

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/watch"
)

// saves are changes that a test makes.
type saves chan watch.Change

func (s saves) Next(ctx context.Context) (watch.Change, error) {
	select {
	case c := <-s:
		return c, nil
	case <-ctx.Done():
		return watch.Change{}, ctx.Err()
	}
}

// script is what happens in a loop, as it happens.
type script struct {
	mu   sync.Mutex
	said []string
	news chan struct{}
}

func (s *script) say(line string) {
	s.mu.Lock()
	s.said = append(s.said, line)
	s.mu.Unlock()
	s.news <- struct{}{}
}

// until waits for a line as the last one.
func (s *script) until(t *testing.T, line string) {
	t.Helper()
	for {
		select {
		case <-s.news:
		case <-time.After(10 * time.Second):
			t.Fatalf("no %q: %q", line, s.said)
		}
		s.mu.Lock()
		last := s.said[len(s.said)-1]
		s.mu.Unlock()
		if last == line {
			return
		}
	}
}

func TestTheOrderOfThings(t *testing.T) {
	s := &script{news: make(chan struct{}, 100)}
	changes := make(saves)
	broken := false
	loop := Loop{Changes: changes,
		Build: func(ctx context.Context) error {
			s.say("build")
			if broken {
				return errors.New("broken")
			}
			return nil
		},
		Guest: func(ctx context.Context, started func()) error {
			started()
			<-ctx.Done()
			s.say("guest is ended")
			return nil
		},
		Events: Events{
			Changed: func(files []string) { s.say("changed " + files[0]) }, Failed: func(err error) { s.say("failed: " + err.Error()) },
			Started: func(t Times) {
				if t.Since > 0 {
					s.say("booted again")
				} else {
					s.say("booted")
				}
			},
			Ended: func() { s.say("ended by itself") }, Building: func() {},
		},
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error)
	go func() { over <- loop.Run(ctx) }()
	save := func(file string) { changes <- watch.Change{At: time.Now(), Files: []string{file}} }
	s.until(t, "booted")
	save("a")
	s.until(t, "booted again")
	broken = true
	save("b")
	s.until(t, "failed: broken")
	broken = false
	save("c")
	s.until(t, "booted again")
	stop()
	if err := <-over; err != nil {
		t.Error(err)
	}
	want := []string{"build", "booted", "guest is ended", "changed a", "build", "booted again", "guest is ended", "changed b", "build", "failed: broken", "changed c", "build", "booted again", "guest is ended"}
	if !slices.Equal(s.said, want) {
		t.Errorf("%q", s.said)
	}
}

// TestASaveEndsABuild: what is being built is of a source that is no more.
func TestASaveEndsABuild(t *testing.T) {
	s := &script{news: make(chan struct{}, 100)}
	changes := make(saves)
	first := true
	loop := Loop{Changes: changes,
		Build: func(ctx context.Context) error {
			if !first {
				return nil
			}
			first = false
			s.say("building")
			<-ctx.Done()
			return ctx.Err()
		},
		Guest: func(ctx context.Context, started func()) error { started(); return nil },
		Events: Events{
			Changed: func([]string) {}, Failed: func(err error) { s.say("failed") }, Started: func(Times) { s.say("booted") },
			Ended: func() { s.say("ended by itself") }, Building: func() {},
		},
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error)
	go func() { over <- loop.Run(ctx) }()
	s.until(t, "building")
	changes <- watch.Change{At: time.Now()}
	s.until(t, "ended by itself")
	stop()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if want := []string{"building", "booted", "ended by itself"}; !slices.Equal(s.said, want) {
		t.Errorf("%q", s.said)
	}
}

func TestAWatchThatFailsEndsTheLoop(t *testing.T) {
	loop := Loop{Changes: failing{}, Build: func(context.Context) error { return nil }, Guest: func(ctx context.Context, started func()) error { <-ctx.Done(); return nil },
		Events: Events{Changed: func([]string) {}, Failed: func(error) {}, Started: func(Times) {}, Ended: func() {}, Building: func() {}}}
	if err := loop.Run(t.Context()); err == nil || err.Error() != "lost" {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Next(context.Context) (watch.Change, error) {
	return watch.Change{}, errors.New("lost")
}
