package targetspec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Runner runs one program to its end and returns what it printed. An exit code
// other than 0 is an error.
type Runner func(ctx context.Context, argv ...string) (stdout, stderr []byte, err error)

// Rejected is rustc's refusal of a specification.
type Rejected struct {
	File    string // the specification
	Message string // what rustc printed
}

// Error is rustc's own message under one line of ours.
func (r *Rejected) Error() string {
	return fmt.Sprintf("rustc does not accept %s:\n%s", r.File, r.Message)
}

// Validate asks rustc itself whether it accepts the specification in the file
// jsonPath, and returns the cfg lines it derives from it (`target_os="redox"`),
// sorted. The error is a *Rejected with rustc's message, or what kept rustc
// from running.
func Validate(ctx context.Context, run Runner, rustc, jsonPath string) ([]string, error) {
	// -Zunstable-options is needed for a JSON target from 1.95 on and harmless
	// before.
	stdout, stderr, err := run(ctx, rustc, "-Zunstable-options", "--print=cfg", "--target="+jsonPath)
	if err != nil {
		if message := strings.TrimSpace(string(stderr)); message != "" && ctx.Err() == nil {
			return nil, &Rejected{File: jsonPath, Message: message}
		}
		return nil, fmt.Errorf("ask rustc about %s: %w", jsonPath, err)
	}
	return strings.Split(strings.TrimSpace(string(stdout)), "\n"), nil
}

// Drift says where a generated file differs from what its source gives now.
type Drift struct {
	File string // the generated file
	Line int    // first line that differs, from 1; 0 when the file is missing
	Want string // that line as it should be; empty beyond the end
	Got  string // that line as it is
}

// Error is one line.
func (d *Drift) Error() string {
	if d.Line == 0 {
		return fmt.Sprintf("%s: missing", d.File)
	}
	return fmt.Sprintf("%s:%d: is %q, its source gives %q", d.File, d.Line, d.Got, d.Want)
}

// Check compares a generated file with what the specification gives for the
// compiler now. The error is a *Drift when they differ or the file is missing.
func (s *Spec) Check(generatedPath string, compiler Compiler) error {
	want, err := s.JSON(compiler)
	if err != nil {
		return err
	}
	got, err := os.ReadFile(generatedPath)
	if errors.Is(err, fs.ErrNotExist) {
		return &Drift{File: generatedPath}
	}
	if err != nil {
		return fmt.Errorf("check generated target: %w", err)
	}
	if bytes.Equal(got, want) {
		return nil
	}
	return difference(generatedPath, string(want), string(got))
}

func difference(file, want, got string) *Drift {
	wanted, found := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := 0; ; i++ {
		if i < len(wanted) && i < len(found) && wanted[i] == found[i] {
			continue
		}
		drift := &Drift{File: file, Line: i + 1}
		if i < len(wanted) {
			drift.Want = strings.TrimSpace(wanted[i])
		}
		if i < len(found) {
			drift.Got = strings.TrimSpace(found[i])
		}
		return drift
	}
}
