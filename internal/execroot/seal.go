package execroot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/cas"
)

// sealName is the file that says what a lasting folder's state was when the last command in it had ended. The state is the
// tool's own, and tools believe it: cargo looks at times and links a library whose bytes have changed. So what somebody else (a failing disk, a
// cleaner) did to a file of it is found by content before the next command, and the state is made anew. A killed run leaves no
// seal, and its state is believed.
const sealName = ".state"

// seal is what is known of the files of a state, by slash path in the folder.
type seal map[string]sealed

// sealed is one file or link. While the inode is the same nobody has to read it.
type sealed struct {
	inode   [5]int64 // size, modification and change time in nanoseconds, inode number, mode
	content string   // SHA-256 in hexadecimal, or "->" and a link's target
}

// unseal holds the state to its seal, which it takes off. When a file is not what it was, the whole state is removed, and altered names
// the file.
func unseal(ctx context.Context, dir string, state []string) (known seal, altered string, err error) {
	path := filepath.Join(dir, sealName)
	text, err := atomicfile.ReadSummed(path)
	if err != nil {
		text = nil // there is none, or it is damaged itself: nothing is known
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	known = parseSeal(string(text))
	now, err := lookAt(ctx, dir, state, known)
	if err != nil {
		return nil, "", err
	}
	for p, was := range known {
		if is, ok := now[p]; !ok || is.content != was.content || is.inode[4] != was.inode[4] {
			return nil, p, removeState(dir, state)
		}
	}
	return now, "", nil
}

func removeState(dir string, state []string) error {
	for _, name := range state {
		if err := cachefile.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// sealState writes down what the state is now. known spares reading what has not changed.
func sealState(ctx context.Context, dir string, state []string, known seal) error {
	now, err := lookAt(ctx, dir, state, known)
	if err != nil {
		return err
	}
	return atomicfile.WriteSummed(filepath.Join(dir, sealName), []byte(now.String()), 0o644)
}

// lookAt is the state as it is. Of a file that is as known says, the content is not read; one that cannot be read has none.
func lookAt(ctx context.Context, dir string, state []string, known seal) (seal, error) {
	now, mu := seal{}, sync.Mutex{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, name := range state {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				return nil // what is missed in it is altered
			}
			if err != nil || e.IsDir() {
				return err
			}
			var st unix.Stat_t
			if unix.Lstat(path, &st) != nil {
				return nil
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			f := sealed{inode: [5]int64{st.Size, st.Mtim.Nano(), st.Ctim.Nano(), int64(st.Ino), int64(st.Mode)}}
			rel = filepath.ToSlash(rel)
			if was, ok := known[rel]; ok && was.inode == f.inode {
				f.content = was.content
				mu.Lock()
				defer mu.Unlock()
				now[rel] = f
				return nil
			}
			group.Go(func() error {
				f.content = contentOf(path, e)
				mu.Lock()
				defer mu.Unlock()
				now[rel] = f
				return ctx.Err()
			})
			return ctx.Err()
		})
		if err != nil {
			_ = group.Wait()
			return nil, err
		}
	}
	return now, group.Wait()
}

func contentOf(path string, e fs.DirEntry) string {
	switch {
	case e.Type()&fs.ModeSymlink != 0:
		to, _ := os.Readlink(path)
		return "->" + to
	case e.Type().IsRegular():
		if d, err := cas.DigestFile(path); err == nil {
			return d.Hash
		}
	}
	return ""
}

// String is a line for each file: its content, its inode and its path, the strings quoted where they could be read wrong.
func (s seal) String() string {
	var b strings.Builder
	for path, f := range s {
		fmt.Fprintf(&b, "%q", f.content)
		for _, n := range f.inode {
			b.WriteByte(' ')
			b.WriteString(strconv.FormatInt(n, 10))
		}
		fmt.Fprintf(&b, " %q\n", path)
	}
	return b.String()
}

// parseSeal reads what String writes. It is read from a file with a sum, so that a line that does not fit is another version's.
func parseSeal(text string) seal {
	s := seal{}
	for line := range strings.Lines(text) {
		path, f, ok := parseSealed(strings.TrimSuffix(line, "\n"))
		if !ok {
			return seal{}
		}
		s[path] = f
	}
	return s
}

func parseSealed(line string) (path string, f sealed, ok bool) {
	content, err := strconv.QuotedPrefix(line)
	if err != nil {
		return "", f, false
	}
	fields := strings.SplitN(strings.TrimPrefix(line[len(content):], " "), " ", len(f.inode)+1)
	if len(fields) != len(f.inode)+1 {
		return "", f, false
	}
	f.content, err = strconv.Unquote(content)
	for i := range f.inode {
		var numberErr error
		f.inode[i], numberErr = strconv.ParseInt(fields[i], 10, 64)
		err = errors.Join(err, numberErr)
	}
	path, pathErr := strconv.Unquote(fields[len(f.inode)])
	return path, f, errors.Join(err, pathErr) == nil
}
