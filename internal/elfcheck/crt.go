package elfcheck

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"path"
	"strings"
)

var crtObjects = []string{"crt0.o", "crti.o", "crtn.o"}

// crtObject maps an STT_FILE name to the CRT object it is from. rustc names a
// compilation unit "crt0.<hash>-cgu.0" or "crt0.<hash>", other compilers use the
// source's name.
func crtObject(file string) string {
	stem, _, _ := strings.Cut(path.Base(file), ".")
	for _, o := range crtObjects {
		if stem+".o" == o {
			return o
		}
	}
	return ""
}

// initSections counts function prologues and returns in .init and .fini.
func (c *checker) initSections() {
	for _, name := range []string{".init", ".fini"} {
		s := c.f.section(name)
		if s == nil {
			continue
		}
		b, err := c.f.data(s)
		if err != nil {
			c.report(RuleFormat, "%v", err)
			continue
		}
		prologues, returns := prologueCount(elf.Machine(c.f.header.Machine), b)
		if prologues > 1 {
			c.report(RuleCRT, "%s begins %d times: crti.o is linked more than once", name, prologues)
		}
		if returns > 1 {
			c.report(RuleCRT, "%s returns %d times: crtn.o is linked more than once", name, returns)
		}
	}
}

func prologueCount(m elf.Machine, code []byte) (prologues, returns int) {
	switch m {
	case elf.EM_AARCH64:
		for ; len(code) >= 4; code = code[4:] {
			w := binary.LittleEndian.Uint32(code)
			if w&0xffc07fff == 0xa9807bfd { // stp x29, x30, [sp, #imm]!
				prologues++
			}
			if w == 0xd65f03c0 { // ret
				returns++
			}
		}
	case elf.EM_X86_64:
		prologues = bytes.Count(code, []byte{0x55, 0x48, 0x89, 0xe5}) // push rbp; mov rbp, rsp
		returns = bytes.Count(code, []byte{0x5d, 0xc3})               // pop rbp; ret
	}
	return prologues, returns
}

// CheckLinkLine checks a linker's or a compiler driver's arguments: each CRT
// object is there exactly once, crt0.o and crti.o before crtn.o. It looks into
// -Wl,a,b and link-arg=a forms, not into response files, which the caller
// expands; a response file is a finding.
func CheckLinkLine(argv []string) []Finding {
	var out []Finding
	report := func(format string, args ...any) {
		out = append(out, Finding{RuleCRT, fmt.Sprintf(format, args...)})
	}
	where := map[string][]int{}
	for i, arg := range argv {
		if strings.HasPrefix(arg, "@") {
			report("response file %s was not expanded", arg)
		}
		for _, part := range strings.FieldsFunc(arg, func(r rune) bool { return r == ',' || r == '=' || r == ' ' }) {
			if base := path.Base(part); crtObject(base) == base {
				where[base] = append(where[base], i)
			}
		}
	}
	for _, o := range crtObjects {
		switch n := len(where[o]); {
		case n == 0:
			report("%s is missing from the link line", o)
		case n > 1:
			report("%s is on the link line %d times (arguments %s)", o, n, strings.Trim(fmt.Sprint(where[o]), "[]"))
		}
	}
	if len(out) > 0 {
		return out
	}
	if start, end := max(where["crt0.o"][0], where["crti.o"][0]), where["crtn.o"][0]; end < start {
		report("crtn.o comes before crt0.o or crti.o: it closes what they open")
	}
	return out
}
