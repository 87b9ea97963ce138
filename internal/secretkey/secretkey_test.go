package secretkey

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	salt, nonce = strings.Repeat("a1", 32), strings.Repeat("b2", 24)
	plain       = "salt = \"" + salt + "\"\nnonce = \"" + nonce + "\"\nskey = \"" + strings.Repeat("c3", 64) + "\"\n"
)

func TestIs(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want bool
	}{
		"plain":                 {plain, true},
		"encrypted":             {strings.Replace(plain, strings.Repeat("c3", 64), strings.Repeat("c3", 80), 1), true},
		"another order":         {"skey = '" + strings.Repeat("C3", 64) + "'\nsalt='" + salt + "'\nnonce='" + nonce + "'", true},
		"with more in it":       {"# mine\nuser = 'me'\n" + plain + "[more]\nx = 1\n", true},
		"line ends of Windows":  {strings.ReplaceAll(plain, "\n", "\r\n"), true},
		"escaped":               {strings.NewReplacer("skey", `"s\u006bey"`).Replace(plain), true},
		"other case":            {strings.Replace(plain, "skey", "SKey", 1), true},
		"padded":                {plain + strings.Repeat("#", MaxSize-len(plain)-1), true},
		"longer than any is":    {plain + strings.Repeat("#", MaxSize), false},
		"a public key":          {"pkey = \"" + strings.Repeat("d4", 32) + "\"\n", false},
		"without a salt":        {strings.Replace(plain, "salt", "pepper", 1), false},
		"short":                 {strings.Replace(plain, "c3", "", 1), false},
		"not hexadecimal":       {strings.Replace(plain, "c3", "xy", 1), false},
		"text":                  {strings.Repeat("some text = of some length, which is nothing\n", 20), false},
		"a program":             {"\x7fELF" + strings.Repeat("\x00=", 500), false},
		"a page that shows one": {"```toml\n" + plain + "```\n", false},
		"nothing":               {"", false},
	} {
		if got := Is([]byte(test.text)); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCheckFile(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "holiday.jpg")
	if err := os.WriteFile(key, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := CheckFile(key); !errors.As(err, &e) || e.Place != key || strings.Contains(err.Error(), "c3c3") {
		t.Errorf("error %v", err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "none"), os.DevNull} {
		if err := CheckFile(path); err != nil {
			t.Error(err)
		}
	}
}
