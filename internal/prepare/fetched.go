package prepare

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// Crates are those that a run of cargo compiles. They are brought to this machine before it, by a cargo that may use the network and
// runs no program of a source; the one that compiles reads them in cargo's home and does neither.
type Crates struct {
	s    *Sources
	args []string // of cargo fetch
	mark string   // the file that says that they were fetched
}

// fetchedFolder is where cargo's home has the marks.
const fetchedFolder = "redox-clif-fetched"

// Crates are those of the workspace of a manifest. identity is all that says which they are (the digest of its lock file); args are
// more arguments for cargo.
func (s *Sources) Crates(manifest string, identity []string, args ...string) (*Crates, error) {
	home, err := cargoHomeID(s.o.CargoHome)
	if err != nil {
		return nil, err
	}
	c := &Crates{s: s, args: append([]string{toolenv.Cargo, "fetch", "--locked", "--manifest-path", manifest}, args...)}
	sum := sha256.Sum256([]byte(strings.Join(append(append([]string{home, s.o.Toolchain}, identity...), c.args...), "\x00")))
	c.mark = filepath.Join(s.o.CargoHome, fetchedFolder, hex.EncodeToString(sum[:16]))
	return c, nil
}

// Fetch is the command that fetches them; none when they were fetched into this very home before, or the network is forbidden.
func (c *Crates) Fetch() []execroot.Command {
	if c.s.o.Offline || c.Fetched() {
		return nil
	}
	own, users := c.s.networkEnv()
	return []execroot.Command{{Args: c.args, Network: true, ExtraEnv: own, Private: users}}
}

// Fetched tells whether they were fetched.
func (c *Crates) Fetched() bool {
	_, err := os.Stat(c.mark)
	return err == nil
}

// Done remembers that they were fetched.
func (c *Crates) Done() error {
	if c.s.o.Offline {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.mark), 0o755); err != nil {
		return err
	}
	return os.WriteFile(c.mark, nil, 0o644)
}

// Forget has them fetched again: somebody has removed some of them.
func (c *Crates) Forget() error {
	if err := os.Remove(c.mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// CargoHome is what a cargo that compiles reads: cargo's home, whose settings are those without the user's ways to the network, and
// the folders that these name.
func (s *Sources) CargoHome() (readOnly []string, instead map[string]string) {
	readOnly = append([]string{s.o.CargoHome}, s.o.Registries...)
	if s.o.BuildSettings == "" {
		return readOnly, nil
	}
	return readOnly, map[string]string{filepath.Join(s.o.CargoHome, "config.toml"): s.o.BuildSettings}
}
