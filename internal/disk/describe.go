package disk

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Description is images/<name>.toml: what a disk image consists of. Keys that take a reference (`from`, and those of [boot]) take
//
//	kernel:boot/kernel     a file or folder of the staged tree of a recipe
//	file:some/path         a file or folder, relative to the checkout
type Description struct {
	// Name is the file's name without .toml.
	Name string `toml:"-"`

	// Description is one line for lists.
	Description string `toml:"description"`
	// Like is the name of another image that this one adds to: it has all that is in that one as well, and the values that it does
	// not give itself. Its packages, trees, files, folders, links, users and groups come behind.
	Like string `toml:"like"`
	// Size is the whole image's in MiB.
	Size int64 `toml:"size-mib,required"`
	// EFI is the boot partition's size in MiB, 1 (the default) to 32.
	EFI int64 `toml:"efi-mib"`
	// UUID is the file system's; those of the partitions are derived from it. The default depends on the file's name only.
	UUID *UUID `toml:"uuid"`
	// Time is what all files say, in seconds since 1970; 0 by default.
	Time int64 `toml:"time"`
	// Hostname is written to /etc/hostname.
	Hostname string `toml:"hostname"`
	// Packages are installed with all they depend on, from the repositories that `mage pkg:install` asks.
	Packages []string `toml:"packages"`

	// Boot is what the machine starts from.
	Boot Boot `toml:"boot"`
	// Trees are placed whole.
	Trees []Tree `toml:"tree"`
	// Files are placed one by one.
	Files []File `toml:"file"`
	// Dirs are directories with a mode or owner of their own, or empty ones. Those above a file need not be listed: they belong to
	// root and have mode 0755.
	Dirs []Dir `toml:"dir"`
	// Links are symbolic links.
	Links []Link `toml:"link"`
	// Users are the lines of /etc/passwd and /etc/shadow. Without any the three files about users are not written.
	Users []User `toml:"user"`
	// Groups are the lines of /etc/group. A user whose group is not listed gets one of the user's name.
	Groups []Group `toml:"group"`
}

// Boot is what the machine starts from. Each value is a reference to a single file.
type Boot struct {
	// Loader is a UEFI program; it becomes EFI/BOOT/BOOTAA64.EFI (BOOTX64.EFI for x86_64) of the boot partition.
	Loader string `toml:"loader"`
	// Kernel becomes boot/kernel and usr/lib/boot/kernel.
	Kernel string `toml:"kernel"`
	// Initfs becomes boot/initfs and usr/lib/boot/initfs: a reference, or the name of the recipe that makes the initfs image.
	Initfs string `toml:"initfs"`
}

// Tree places everything of a reference below a directory.
type Tree struct {
	// From is a reference; "ion:" is all of the recipe ion's tree.
	From string `toml:"from,required"`
	// To is the directory, "/" by default.
	To string `toml:"to"`
}

// File is one file, from a reference or as text.
type File struct {
	// To is an absolute path in the image.
	To string `toml:"to,required"`
	// From is a reference to a single file.
	From string `toml:"from,oneof"`
	// Text is the content.
	Text *string `toml:"text,oneof"`
	// Mode has the permission bits, octal: "0755". The default is 0644, or what the reference has.
	Mode string `toml:"mode"`
	// UID is the owner, 0 by default.
	UID uint32 `toml:"uid"`
	// GID is the group, 0 by default.
	GID uint32 `toml:"gid"`
	// Replace allows that something else places a file there, which this one takes the place of.
	Replace bool `toml:"replace"`
}

// Dir is a directory with a mode or owner of its own.
type Dir struct {
	// Path is absolute.
	Path string `toml:"path,required"`
	// Mode has the permission bits, octal; 0755 by default.
	Mode string `toml:"mode"`
	// UID is the owner, 0 by default.
	UID uint32 `toml:"uid"`
	// GID is the group, 0 by default.
	GID uint32 `toml:"gid"`
}

// Link is a symbolic link.
type Link struct {
	// Path is where the link is, absolute.
	Path string `toml:"path,required"`
	// Target is what the link says, absolute or not.
	Target string `toml:"target,required"`
}

// User is a line of /etc/passwd and /etc/shadow.
type User struct {
	// Name has lower-case letters, digits, _ and -, at most 32 of them.
	Name string `toml:"name,required"`
	// Full is the name for people; by default `name`.
	Full string `toml:"full-name"`
	// UID is the user's number, 0 (root) by default.
	UID uint32 `toml:"uid"`
	// GID is the number of the user's group, 0 by default.
	GID uint32 `toml:"gid"`
	// Home is the user's folder, made with mode 0700 if it is not there.
	Home string `toml:"home,required"`
	// Shell is started by login.
	Shell string `toml:"shell,required"`
	// Password is "" (the default) for none, "!" for a locked account, or an Argon2 hash.
	Password string `toml:"password"`
}

// Group is a line of /etc/group.
type Group struct {
	// Name has lower-case letters, digits, _ and -, at most 32 of them.
	Name string `toml:"name,required"`
	// GID is the group's number.
	GID uint32 `toml:"gid"`
	// Members are names of users.
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

// Over is the description with what it is like below it.
func (d *Description) Over(base *Description) *Description {
	all := *d
	all.Like = base.Like
	all.Hostname = cmp.Or(d.Hostname, base.Hostname)
	all.Boot = Boot{cmp.Or(d.Boot.Loader, base.Boot.Loader), cmp.Or(d.Boot.Kernel, base.Boot.Kernel), cmp.Or(d.Boot.Initfs, base.Boot.Initfs)}
	all.Packages = slices.Concat(base.Packages, d.Packages)
	all.Trees = slices.Concat(base.Trees, d.Trees)
	all.Files = slices.Concat(base.Files, d.Files)
	all.Dirs = slices.Concat(base.Dirs, d.Dirs)
	all.Links = slices.Concat(base.Links, d.Links)
	all.Users = slices.Concat(base.Users, d.Users)
	all.Groups = slices.Concat(base.Groups, d.Groups)
	return &all
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
