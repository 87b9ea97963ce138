package disk

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Description is images/<name>.toml: what an image consists of.
type Description struct {
	// Name is the file's name without .toml.
	Name string `toml:"-"`

	Description string `toml:"description"`
	// Size is the whole image's, EFI the boot partition's (default 1), in MiB.
	Size int64 `toml:"size-mib"`
	EFI  int64 `toml:"efi-mib"`
	// UUID of the file system; the partitions' are derived from it. The default depends on the name only.
	UUID *UUID `toml:"uuid"`
	// Time is what all files say, in seconds since 1970.
	Time int64 `toml:"time"`
	// Hostname is written to /etc/hostname.
	Hostname string `toml:"hostname"`
	// Packages are installed with all they depend on, from the repositories that pkg:install asks.
	Packages []string `toml:"packages"`

	Boot   Boot    `toml:"boot"`
	Trees  []Tree  `toml:"tree"`
	Files  []File  `toml:"file"`
	Dirs   []Dir   `toml:"dir"`
	Links  []Link  `toml:"link"`
	Users  []User  `toml:"user"`
	Groups []Group `toml:"group"`
}

// Boot is what the machine starts from. The values are references, as everywhere in a description:
//
//	kernel:boot/kernel     a file or folder of the staged tree of a recipe
//	initfs                 the initfs image that a recipe makes (for key initfs only)
//	file:some/path         a file or folder, relative to the checkout
type Boot struct {
	Loader string `toml:"loader"` // UEFI program; becomes EFI/BOOT/BOOTAA64.EFI
	Kernel string `toml:"kernel"` // becomes boot/kernel and usr/lib/boot/kernel
	Initfs string `toml:"initfs"` // becomes boot/initfs and usr/lib/boot/initfs
}

// Tree places everything of a reference below a directory.
type Tree struct {
	From string `toml:"from"`
	To   string `toml:"to"` // "/" by default
}

// File is one file, from a reference or as text.
type File struct {
	To   string  `toml:"to"`
	From string  `toml:"from"`
	Text *string `toml:"text"`
	Mode string  `toml:"mode"` // octal; default 0644, or what the reference has
	UID  uint32  `toml:"uid"`
	GID  uint32  `toml:"gid"`
	// Replace allows that the path is there already.
	Replace bool `toml:"replace"`
}

// Dir is a directory with a mode or owner of its own.
type Dir struct {
	Path string `toml:"path"`
	Mode string `toml:"mode"` // octal, default 0755
	UID  uint32 `toml:"uid"`
	GID  uint32 `toml:"gid"`
}

// Link is a symbolic link.
type Link struct {
	Path   string `toml:"path"`
	Target string `toml:"target"`
}

// User is a line of /etc/passwd and /etc/shadow.
type User struct {
	Name string `toml:"name"`
	Full string `toml:"full-name"` // default: the name
	UID  uint32 `toml:"uid"`
	GID  uint32 `toml:"gid"`
	Home string `toml:"home"` // made with mode 0700 if it is not there
	// Shell is started by login.
	Shell string `toml:"shell"`
	// Password is "" for none, "!" for a locked account, or an Argon2 hash.
	Password string `toml:"password"`
}

// Group is a line of /etc/group. A user whose group is not listed gets one of his own name.
type Group struct {
	Name    string   `toml:"name"`
	GID     uint32   `toml:"gid"`
	Members []string `toml:"members"`
}

// Parse reads a description and checks all of it; path is for messages and gives the name.
func Parse(name, path string, text []byte) (*Description, error) {
	d := &Description{Name: name}
	if err := tomlfile.Decode(path, text, d); err != nil {
		return nil, err
	}
	if d.EFI == 0 {
		d.EFI = 1
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

func (d *Description) layout() layout { return layout{d.Size * mib, d.EFI * mib} }

func (d *Description) id() UUID {
	if d.UUID != nil {
		return *d.UUID
	}
	return NameUUID(d.Name)
}

func (d *Description) time() time.Time { return time.Unix(d.Time, 0).UTC() }

var validUser = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

func (d *Description) check() error {
	var all *multierror.Error
	fail := func(format string, args ...any) { all = multierror.Append(all, fmt.Errorf(format, args...)) }
	if d.Size > maxMiB || d.EFI > maxMiB {
		fail("an image has at most %d MiB", int64(maxMiB))
	} else if err := d.layout().check(); err != nil {
		fail("%w", err)
	}
	if d.Time < 0 {
		fail("time is before 1970")
	}
	if strings.ContainsAny(d.Hostname, " \n/") {
		fail("hostname %q is no name", d.Hostname)
	}
	if err := d.checkPlaces(); err != nil {
		all = multierror.Append(all, err)
	}
	for _, u := range d.Users {
		if err := u.check(); err != nil {
			fail("user %q: %w", u.Name, err)
		}
	}
	for _, g := range d.Groups {
		if !validUser.MatchString(g.Name) {
			fail("group %q is no name", g.Name)
		}
	}
	return all.ErrorOrNil()
}

// checkPlaces checks the files and folders.
func (d *Description) checkPlaces() error {
	var all *multierror.Error
	fail := func(format string, args ...any) { all = multierror.Append(all, fmt.Errorf(format, args...)) }
	for _, f := range d.Files {
		if (f.From == "") == (f.Text == nil) {
			fail("file %q wants either from or text", f.To)
		}
		if _, err := mode(f.Mode, 0); err != nil {
			fail("file %q: %w", f.To, err)
		}
	}
	for _, f := range d.Dirs {
		if _, err := mode(f.Mode, 0); err != nil {
			fail("dir %q: %w", f.Path, err)
		}
	}
	return all.ErrorOrNil()
}

func (u User) check() error {
	if !validUser.MatchString(u.Name) {
		return errors.New("no name: lower-case letters, digits, _ and -")
	}
	if strings.ContainsAny(u.Full+u.Home+u.Shell+u.Password, ";\n") {
		return errors.New("a field with a semicolon or a line end, which separate fields and users")
	}
	// Anything else makes login panic.
	if p := u.Password; p != "" && p != "!" && !strings.HasPrefix(p, "$argon2") {
		return errors.New(`the password is "" for none, "!" for locked, or a hash that starts with $argon2`)
	}
	if u.Home == "" || u.Shell == "" {
		return errors.New("no home or no shell")
	}
	return nil
}

// mode reads octal permission bits; "" is the default.
func mode(text string, usual uint16) (uint16, error) {
	if text == "" {
		return usual, nil
	}
	n, err := strconv.ParseUint(text, 8, 16)
	if err != nil || n > 0o7777 {
		return 0, fmt.Errorf("mode %q is not octal permission bits like 0644", text)
	}
	return uint16(n), nil
}
