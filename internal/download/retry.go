package download

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"
)

const (
	firstWait   = 500 * time.Millisecond
	maxAttempts = 100 // ends an exchange that makes progress byte by byte
)

// attempt asks a location once. Progress says that it brought something, even if it failed.
type attempt func(ctx context.Context, location string) (progress bool, err error)

// each tries the locations in order, until one of them succeeds.
func (c *Client) each(ctx context.Context, from []string, try attempt) error {
	var all *multierror.Error
	missing := 0
	for _, location := range from {
		err := c.retry(ctx, location, try)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, ErrNotFound) {
			missing++
		}
		all = multierror.Append(all, fmt.Errorf("%s: %w", location, err))
	}
	switch {
	case all == nil:
		return errors.New("no location is known")
	case missing == len(from), len(from) == 1:
		return all.Errors[0]
	case missing > 0:
		return fmt.Errorf("%v", all) // not ErrNotFound: a location that has failed may have the file
	}
	return all
}

// retry asks a location again after a temporary failure: at once when there was progress, else a few times, later and later.
func (c *Client) retry(ctx context.Context, location string, try attempt) error {
	attempts, pause := c.Attempts, c.Sleep
	if attempts == 0 {
		attempts = 3
	}
	if pause == nil {
		pause = sleep
	}
	wait, vain := firstWait, 0
	for total := 1; ; total++ {
		progress, err := try(ctx, location)
		if err == nil || !temporary(err) || ctx.Err() != nil || total == maxAttempts {
			return err
		}
		if progress {
			wait, vain = firstWait, 0
			continue
		}
		if vain++; vain == attempts {
			return inVain(err, attempts)
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
}

func inVain(err error, attempts int) error {
	if attempts == 1 {
		return err
	}
	return fmt.Errorf("%w (%d attempts)", err, attempts)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
