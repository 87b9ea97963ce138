package source

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/hashicorp/go-multierror"
	"lukechampine.com/blake3"
)

// digests are what a downloaded file has to have, lower-case hex of 32 bytes each. An empty one is not asked for.
type digests struct{ sha256, blake3 string }

func (a Archive) digests() digests { return digests{a.SHA256, a.Blake3} }
func (c Crate) digests() digests   { return digests{sha256: c.SHA256} }

// digestCheck is one digest that is asked for.
type digestCheck struct {
	algorithm string // sha256 or blake3
	want      string
	hash      hash.Hash
}

func (d digests) checks() []digestCheck {
	var all []digestCheck
	if d.sha256 != "" {
		all = append(all, digestCheck{"sha256", d.sha256, sha256.New()})
	}
	if d.blake3 != "" {
		all = append(all, digestCheck{"blake3", d.blake3, blake3.New(32, nil)})
	}
	return all
}

func (d digests) validate() error {
	var faults *multierror.Error
	for _, c := range d.checks() {
		if !sumHex.MatchString(c.want) {
			faults = multierror.Append(faults, fmt.Errorf("%s = %q must be 64 lower-case hex digits", c.algorithm, c.want))
		}
	}
	if d == (digests{}) {
		faults = multierror.Append(faults, errors.New("sha256 or blake3 is missing, 64 lower-case hex digits"))
	}
	return faults.ErrorOrNil()
}

// identity names the content.
func (d digests) identity() string {
	var parts []string
	for _, c := range d.checks() {
		parts = append(parts, c.algorithm+":"+c.want)
	}
	return strings.Join(parts, ":")
}

// file is the name in the store. It has every digest that was checked: a recipe that asks for one more gets a file that was
// checked for that too.
func (d digests) file() string {
	return strings.TrimPrefix(strings.ReplaceAll(d.identity(), ":", "-"), "sha256-")
}

// check reads a file and finds the first digest that is another one.
func (d digests) check(what string, r io.Reader) error {
	checks := d.checks()
	var all []io.Writer
	for _, c := range checks {
		all = append(all, c.hash)
	}
	if _, err := io.Copy(io.MultiWriter(all...), r); err != nil {
		return err
	}
	for _, c := range checks {
		if got := hex.EncodeToString(c.hash.Sum(nil)); got != c.want {
			return &DigestError{What: what, Algorithm: c.algorithm, Want: c.want, Got: got}
		}
	}
	return nil
}
