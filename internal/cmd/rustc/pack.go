package rustc

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Pack packs a built toolchain into a file; out may be empty for a file in the working folder.
func Pack(ctx context.Context, s *session.Session, name, out string) error {
	r := name
	if r == "" {
		loaded, err := rustbuild.Load(os.DirFS(s.Config.ToolchainDir()), "", "")
		if err != nil {
			return err
		}
		r = loaded.Name
	}
	store := s.BuiltToolchains()
	dir, err := store.Resolve(r)
	if err != nil {
		return err
	}
	used, err := store.Use(dir)
	if err != nil {
		return err
	}
	defer used.Close()
	if out == "" {
		out = filepath.Base(dir) + ".tar.xz"
	}
	start := time.Now()
	s.Say("packing %s, which takes a minute or two", dir)
	sum, err := rustbuild.Pack(ctx, dir, out)
	if err != nil {
		return err
	}
	beside := fmt.Sprintf("%s  %s\n", sum, filepath.Base(out))
	if err := renameio.WriteFile(out+".sha256", []byte(beside), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(s.Streams.Out, "%s  %s\n", sum, out)
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	s.Say("%s in %s; there: mage toolchain:unpack %s -sha256=%s", ui.Bytes(info.Size()), ui.Seconds(time.Since(start)), filepath.Base(out), sum)
	return nil
}

// Unpack takes a packed toolchain into the cache. sha256 is what the file must have; "" takes what a file
// of that name with .sha256 says, if there is one.
func Unpack(ctx context.Context, s *session.Session, file, sha256 string) error {
	if sha256 == "" {
		text, err := os.ReadFile(file + ".sha256")
		if err == nil {
			fields := bytes.Fields(text)
			if len(fields) == 0 {
				return fmt.Errorf("%s.sha256 has no digest", file)
			}
			sha256 = string(fields[0])
		} else {
			s.Say("no -sha256 and no %s.sha256: damage will be noticed, a forgery will not", file)
		}
	}
	m := s.BuildMachine()
	u := rustbuild.Unpacker{
		Store: s.BuiltToolchains(), Host: rustbuild.HostTriple(), Ask: s.Ask,
		FindLLVM: func(ctx context.Context, major rustbuild.LLVMRange) (*rustbuild.LLVM, error) {
			return rustbuild.FindLLVM(ctx, m, major)
		},
		Waiting: func() { s.Say("another run works on this toolchain; waiting for it to end") },
	}
	dir, manifest, err := u.Unpack(ctx, file, sha256)
	if err != nil {
		return err
	}
	s.Say("%s is in %s", manifest.Name, dir)
	s.Say("  use it here:    export REDOX_TOOLCHAIN=%s", manifest.Name)
	return nil
}
