package cas

import (
	"fmt"
	"sort"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Directory is one level of a tree, the Remote Execution API's message of that
// name. Each list is sorted by name, bytewise, and no name occurs twice.
type Directory struct {
	Files    []FileNode
	Dirs     []DirNode
	Symlinks []SymlinkNode
}

// FileNode is a file in a [Directory]. Only the executable bit of the mode is kept.
type FileNode struct {
	Name       string
	Digest     Digest
	Executable bool
}

// DirNode is a folder in a [Directory]; its digest is that of the encoded Directory.
type DirNode struct {
	Name   string
	Digest Digest
}

// SymlinkNode is a symbolic link in a [Directory].
type SymlinkNode struct {
	Name   string
	Target string
}

// Field numbers of build.bazel.remote.execution.v2 (remote_execution.proto).
const (
	dirFiles, dirDirs, dirSymlinks       = 1, 2, 3
	fileName, fileDigest, fileExecutable = 1, 2, 4
	subName, subDigest                   = 1, 2
	linkName, linkTarget                 = 1, 2
	digestHash, digestSize               = 1, 2
)

// Sort puts the lists into the order the encoding wants.
func (d *Directory) Sort() {
	sort.Slice(d.Files, func(i, j int) bool { return d.Files[i].Name < d.Files[j].Name })
	sort.Slice(d.Dirs, func(i, j int) bool { return d.Dirs[i].Name < d.Dirs[j].Name })
	sort.Slice(d.Symlinks, func(i, j int) bool { return d.Symlinks[i].Name < d.Symlinks[j].Name })
}

// Marshal returns the canonical protobuf bytes: fields in order, defaults left out.
func (d *Directory) Marshal() []byte {
	const entry = 128 // bytes of most: a digest has 70
	b := make([]byte, 0, entry*(len(d.Files)+len(d.Dirs)+len(d.Symlinks)))
	m := make([]byte, 0, 2*entry) // the entry that is written
	for _, f := range d.Files {
		m = appendString(m[:0], fileName, f.Name)
		m = appendDigest(m, fileDigest, f.Digest)
		if f.Executable {
			m = protowire.AppendTag(m, fileExecutable, protowire.VarintType)
			m = protowire.AppendVarint(m, 1)
		}
		b = appendMessage(b, dirFiles, m)
	}
	for _, s := range d.Dirs {
		m = appendString(m[:0], subName, s.Name)
		m = appendDigest(m, subDigest, s.Digest)
		b = appendMessage(b, dirDirs, m)
	}
	for _, l := range d.Symlinks {
		m = appendString(m[:0], linkName, l.Name)
		m = appendString(m, linkTarget, l.Target)
		b = appendMessage(b, dirSymlinks, m)
	}
	return b
}

// appendDigest appends a Digest message as a field.
func appendDigest(b []byte, num protowire.Number, d Digest) []byte {
	size := 0
	if d.Hash != "" {
		size += protowire.SizeTag(digestHash) + protowire.SizeBytes(len(d.Hash))
	}
	if d.Size != 0 {
		size += protowire.SizeTag(digestSize) + protowire.SizeVarint(uint64(d.Size))
	}
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	return appendDigestFields(b, d)
}

// MarshalDigest returns the canonical bytes of the API's Digest message.
func MarshalDigest(d Digest) []byte {
	return appendDigestFields(nil, d)
}

func appendDigestFields(m []byte, d Digest) []byte {
	m = appendString(m, digestHash, d.Hash)
	if d.Size != 0 {
		m = protowire.AppendTag(m, digestSize, protowire.VarintType)
		m = protowire.AppendVarint(m, uint64(d.Size))
	}
	return m
}

func appendString(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func appendMessage(b []byte, num protowire.Number, m []byte) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendBytes(b, m)
}

// UnmarshalDirectory reads what [Directory.Marshal] writes and refuses names that
// could leave the folder.
func UnmarshalDirectory(b []byte) (*Directory, error) {
	d := &Directory{}
	err := eachField(b, func(num protowire.Number, v []byte, _ uint64) error {
		switch num {
		case dirFiles:
			var f FileNode
			err := eachField(v, func(num protowire.Number, v []byte, n uint64) error {
				switch num {
				case fileName:
					f.Name = string(v)
				case fileDigest:
					return unmarshalDigest(v, &f.Digest)
				case fileExecutable:
					f.Executable = n != 0
				}
				return nil
			})
			d.Files = append(d.Files, f)
			return firstError(err, checkName(f.Name))
		case dirDirs:
			var s DirNode
			err := eachField(v, func(num protowire.Number, v []byte, _ uint64) error {
				switch num {
				case subName:
					s.Name = string(v)
				case subDigest:
					return unmarshalDigest(v, &s.Digest)
				}
				return nil
			})
			d.Dirs = append(d.Dirs, s)
			return firstError(err, checkName(s.Name))
		case dirSymlinks:
			var l SymlinkNode
			err := eachField(v, func(num protowire.Number, v []byte, _ uint64) error {
				switch num {
				case linkName:
					l.Name = string(v)
				case linkTarget:
					l.Target = string(v)
				}
				return nil
			})
			d.Symlinks = append(d.Symlinks, l)
			return firstError(err, checkName(l.Name))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("directory message: %w", err)
	}
	return d, nil
}

func unmarshalDigest(b []byte, d *Digest) error {
	err := eachField(b, func(num protowire.Number, v []byte, n uint64) error {
		switch num {
		case digestHash:
			d.Hash = string(v)
		case digestSize:
			d.Size = int64(n)
		}
		return nil
	})
	if err == nil && (!validHash(d.Hash) || d.Size < 0) {
		return fmt.Errorf("bad digest %q", d.Hash)
	}
	return err
}

// eachField calls f with every length-delimited field's bytes or varint field's value.
func eachField(b []byte, f func(num protowire.Number, bytes []byte, varint uint64) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var v []byte
		var u uint64
		switch typ {
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			u, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := f(num, v, u); err != nil {
			return err
		}
	}
	return nil
}

func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("bad name %q in a directory", name)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
