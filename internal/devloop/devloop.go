// Package devloop is the order of things while a source is worked on: build, start the guest, wait for a change, end the guest, and again.
//
// It owns when a guest begins and ends, and which change ends what. It must not know what is built, what a guest is, nor how a terminal
// shows it.
package devloop

import (
	"context"
	"errors"
	"time"

	"github.com/pannous/redox-clif/internal/watch"
)

// Loop is one loop.
type Loop struct {
	// Changes are waited for by Next.
	Changes interface {
		Next(ctx context.Context) (watch.Change, error)
	}
	// Build brings what is booted up to date. Its error is shown and ends nothing: the next change may mend it.
	Build func(ctx context.Context) error
	// Guest starts a guest, calls started as soon as it runs, and returns when it has ended. Where ctx ends, it ends the guest.
	Guest func(ctx context.Context, started func()) error
	// Events are told what happens.
	Events Events
}

// Events are what happens, for a person.
type Events struct {
	Changed  func(files []string)
	Failed   func(err error) // a build, or a guest that could not be started
	Started  func(t Times)
	Ended    func() // a guest by itself: the loop waits for a change
	Building func()
}

// Times are how long one turn took until the guest was started.
type Times struct {
	// Since is the time from the change; 0 for the first turn. Build is the part of it that the build took.
	Since, Build time.Duration
}

// Run goes round until ctx ends, which is no error.
func (l *Loop) Run(ctx context.Context) error {
	changes, failed := make(chan watch.Change), make(chan error, 1)
	inner, stop := context.WithCancel(ctx)
	defer stop()
	go l.watch(inner, changes, failed)
	var change watch.Change
	for {
		turn, end := context.WithCancel(inner)
		over := make(chan struct{})
		go func() {
			defer close(over)
			l.turn(turn, change.At)
		}()
		var err error
		select {
		case change = <-changes: // whatever is under way is of a source that is no more
		case err = <-failed:
		}
		end()
		<-over
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		l.Events.Changed(change.Files)
	}
}

// watch hands the changes on, and in the end the error that ended it.
func (l *Loop) watch(ctx context.Context, changes chan<- watch.Change, failed chan<- error) {
	for {
		c, err := l.Changes.Next(ctx)
		if err != nil {
			failed <- err
			return
		}
		select {
		case changes <- c:
		case <-ctx.Done():
			failed <- ctx.Err()
			return
		}
	}
}

// turn builds and runs the guest.
func (l *Loop) turn(ctx context.Context, changed time.Time) {
	l.Events.Building()
	begin := time.Now()
	err := l.Build(ctx)
	took := time.Since(begin)
	if err == nil {
		err = l.Guest(ctx, func() {
			t := Times{Build: took}
			if !changed.IsZero() {
				t.Since = time.Since(changed)
			}
			l.Events.Started(t)
		})
		if err == nil && ctx.Err() == nil {
			l.Events.Ended()
		}
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		l.Events.Failed(err)
	}
}
