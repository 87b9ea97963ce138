package session

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/pannous/redox-clif/internal/build"
)

// Distributions name clang by its major version too. Older ones lack the driver flags that are used.
const newestClang, oldestClang = 40, 14

// clang finds the C compiler for C in crates, the newest first when there is none without a number.
func (s *Session) clang(ctx context.Context) build.Clang {
	names := []string{"clang"}
	for n := newestClang; n >= oldestClang; n-- {
		names = append(names, fmt.Sprintf("clang-%d", n))
	}
	for _, name := range names {
		path := s.lookPath(name)
		if path == "" {
			continue
		}
		cmd := exec.CommandContext(ctx, path, "--version")
		cmd.Env = s.toolEnv()
		out, err := cmd.Output()
		if err != nil {
			continue
		}
		version, _, _ := strings.Cut(string(out), "\n")
		return build.Clang{Path: path, Identity: strings.TrimSpace(version)}
	}
	return build.Clang{}
}
