package elfcheck

import (
	"debug/elf"
	"io"
)

// CheckProgram holds a file of size bytes to the rules for programs, if it is ELF; any other file passes. All that
// it breaks is one error.
func CheckProgram(r io.ReaderAt, size int64, m elf.Machine) error {
	var magic [len(elf.ELFMAG)]byte
	_, err := r.ReadAt(magic[:], 0)
	if err != nil && err != io.EOF {
		return err
	}
	if string(magic[:]) != elf.ELFMAG {
		return nil
	}
	return Check(r, size, Program(m)).Err()
}
