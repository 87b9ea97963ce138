package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/pannous/redox-clif/internal/redoxfs"
)

// OpenLogin is a system in which root logs in without a password, and that has a network.
type OpenLogin struct {
	User    string // a name with the number 0
	Network string // the path of the program that serves the network
}

// String is one line.
func (o *OpenLogin) String() string {
	return fmt.Sprintf("%s logs in without a password, and there is a network (%s): who reaches a login of that system is root (password in [[user]])", o.User, o.Network)
}

// networkPrograms serve the scheme of TCP: smolnetd is netstack's since 2023, before it was called netstack.
var networkPrograms = map[string]bool{"smolnetd": true, "netstack": true}

// FindOpenLogin looks for one in what an image consists of; nil is none.
//
// The files are those of redox_users: /etc/passwd has lines name;uid;gid;full name;home;shell, /etc/shadow name;hash. An empty hash is no
// password, one of "!" is a locked account, and who has no line in shadow cannot log in. Up to version 0.3 there was no
// shadow, and the hash was the second of seven fields of passwd.
func FindOpenLogin(contents []redoxfs.Op) (*OpenLogin, error) {
	var network string
	files := map[string]string{}
	for _, op := range contents {
		switch {
		case op.Op != redoxfs.OpFile:
		case networkPrograms[path.Base(op.Path)]:
			network = op.Path
		case op.Path == passwdPath || op.Path == shadowPath:
			text, err := textOf(op)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", op.Path, err)
			}
			files[op.Path] = text
		}
	}
	if network == "" {
		return nil, nil
	}
	hashes, shadowed := hashesOf(files)
	for _, fields := range lines(files[passwdPath]) {
		name, uid := fields[0], uidOf(fields)
		hash, may := hashes[name]
		if !shadowed && len(fields) == oldFields {
			hash, may = fields[1], true
		}
		if uid == "0" && may && hash == "" {
			return &OpenLogin{User: name, Network: network}, nil
		}
	}
	return nil, nil
}

const (
	passwdPath = "/etc/passwd"
	shadowPath = "/etc/shadow"
	// oldFields is how many a line of passwd had when the hash was among them.
	oldFields = 7
)

// hashesOf are the passwords by name, and whether there is a file of them.
func hashesOf(files map[string]string) (hashes map[string]string, shadowed bool) {
	text, shadowed := files[shadowPath]
	hashes = map[string]string{}
	for _, fields := range lines(text) {
		if len(fields) > 1 {
			hashes[fields[0]] = fields[1]
		}
	}
	return hashes, shadowed
}

func uidOf(fields []string) string {
	switch {
	case len(fields) == oldFields:
		return fields[2]
	case len(fields) > 1:
		return fields[1]
	}
	return ""
}

// lines are those of a file about users, in fields.
func lines(text string) [][]string {
	var all [][]string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, strings.Split(line, ";"))
		}
	}
	return all
}

// textOf is the content of a file about users.
func textOf(op redoxfs.Op) (string, error) {
	if op.Text != nil {
		return *op.Text, nil
	}
	text, err := os.ReadFile(op.From)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // whoever writes the image says so
	}
	return string(text), err
}
