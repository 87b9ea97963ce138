// Command fuzz runs every fuzz target of the module for an equal share of some time: `go run ./internal/test/fuzz -time=60m`.
//
// It owns nothing but the division of the time. Targets are found by asking the go command, so that no list of them has to be kept.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"
)

func main() {
	total := flag.Duration("time", time.Hour, "time for all targets together")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *total); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

// target is one fuzz function.
type target struct{ pkg, name string }

// run goes on after a target that found something: an hour is for all of them.
func run(ctx context.Context, total time.Duration) error {
	targets, err := find(ctx)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return errors.New("there are no fuzz targets")
	}
	share := max(total/time.Duration(len(targets)), time.Second)
	var failed []string
	for _, t := range targets {
		fmt.Printf("== %s %s for %s\n", t.pkg, t.name, share.Round(time.Second))
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", share.String(), t.pkg)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			failed = append(failed, t.pkg+" "+t.name)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d targets found something: %s", len(failed), len(targets), strings.Join(failed, ", "))
	}
	return nil
}

// find asks the go command. It prints the targets of a package and then a line with the package.
func find(ctx context.Context) ([]target, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "test", "-list", "^Fuzz", "./...")
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	var all []target
	var names []string
	lines := bufio.NewScanner(&out)
	for lines.Scan() {
		word := strings.Fields(lines.Text())
		switch {
		case len(word) == 1 && strings.HasPrefix(word[0], "Fuzz"):
			names = append(names, word[0])
		case len(word) > 1 && word[0] == "ok":
			for _, name := range names {
				all = append(all, target{word[1], name})
			}
			names = nil
		}
	}
	return all, lines.Err()
}
