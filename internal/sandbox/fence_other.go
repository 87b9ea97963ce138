//go:build !linux

package sandbox

import "errors"

// fence is none: sandbox-exec could be one, and nobody has tried whether ssh and the keychain work in it.
func (b *Sandbox) fence(_ fenced, args []string) []string { return args }

func enclose(fenced, []string) error { return errors.New("this system has no Landlock") }
