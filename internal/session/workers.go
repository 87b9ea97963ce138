package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/worker"
)

// workers are those that run the steps of a build with these tools; nil without any.
func (s *Session) workers(tools builder.Tools) *worker.Farm {
	if s.remote == nil || !s.remote.client.Executes() {
		return nil
	}
	return worker.New(s.remote.ctx, worker.Settings{
		Client: s.remote.client, Store: s.Store, Words: builder.Placeholders(tools, ""), Dir: filepath.Dir(tools.BinDir),
		Toolchain: func(ctx context.Context) (map[string]string, error) { return s.toolchainFiles(ctx, tools) },
		Launcher:  s.launcher, Stats: filepath.Join(s.Config.State(), "toolchain-files"),
		NoFallback: !s.remote.fallback, Notice: func(line string) { (*s.remote.notice.Load())(line) },
	})
}

// maxElsewhere is how many steps workers run at once; 0 without workers.
func (s *Session) maxElsewhere() int {
	if s.remote == nil || !s.remote.client.Executes() {
		return 0
	}
	return s.remote.jobs
}

// toolchainFiles lists the files of the toolchain that workers are given.
func (s *Session) toolchainFiles(ctx context.Context, tools builder.Tools) (map[string]string, error) {
	if tools.Install != nil {
		if err := tools.Install(ctx); err != nil {
			return nil, err
		}
	}
	pin, from, err := s.pinAndSources()
	if err != nil {
		return nil, err
	}
	found, err := toolchain.Find(ctx, from, pin, toolchain.Exec(s.ToolEnv()))
	if err != nil {
		return nil, err
	}
	return found.Files()
}

// launcher has Go compile the program that workers start. It is linked statically, so that a worker needs nothing for it.
func (s *Session) launcher(ctx context.Context) (string, error) {
	compiler := s.LookPath("go")
	if compiler == "" {
		return "", errors.New("there is no go in PATH, which compiles what workers start")
	}
	dir := filepath.Join(s.Config.Cache, "worker")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(s.Config.Root)) // each checkout has its own
	file := filepath.Join(dir, fmt.Sprintf("launch-%x", sum[:4]))
	env := []string{"PATH=" + s.Config.Path, "HOME=" + s.Config.Home, "CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + runtime.GOARCH, "GOWORK=off", "GOFLAGS=-mod=readonly"}
	_, said, err := toolchain.Exec(env)(ctx, compiler, "-C", s.Config.Root, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", file, "./internal/worker/launch")
	if err != nil {
		return "", fmt.Errorf("go build ./internal/worker/launch: %w: %s", err, errs.FirstLine(string(said)))
	}
	return file, nil
}
