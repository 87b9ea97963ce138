package front

import (
	"slices"
	"strings"
	"testing"
)

// Targets run at the top of the checkout; what the user names is seen from the folder it is typed in.
func TestNamesOfFilesAreThoseOfTheFolderTheyAreTypedIn(t *testing.T) {
	f := world(t)
	f.From("out/t-redox")
	for line, want := range map[string]string{
		"pkg:keygen keys":                                 "pkg:keygen out/t-redox/keys",
		"pkg:keygen ../../../keys":                        "pkg:keygen ../keys",
		"pkg:keygen /keys":                                "pkg:keygen /keys",
		"pkg:ls a.pkgar -key=" + strings.Repeat("0a", 32): "pkg:ls out/t-redox/a.pkgar -key=" + strings.Repeat("0a", 32),
		"pkg:ls a.pkgar -key k":                           "pkg:ls out/t-redox/a.pkgar -key=out/t-redox/k",
		"pkg:install ion -repo=https://h/x":               "pkg:install ion -repo=https://h/x",
		"pkg:install ion -repo=repo":                      "pkg:install ion -repo=out/t-redox/repo",
		"initfs:ls - -l":                                  "initfs:ls - -l=true",
		"initfs:replace i /etc/x f":                       "initfs:replace out/t-redox/i /etc/x out/t-redox/f",
		"image:ls etc -img=i":                             "image:ls etc -img=out/t-redox/i", // the first is a path in the image
		"image:inject -files=a:/b:0755,~/c:/d":            "image:inject -files=out/t-redox/a:/b:0755,~/c:/d",
		"image -name=pure-rust -initfs=i":                 "image -name=pure-rust -initfs=out/t-redox/i",
		"recipe:build demo":                               "recipe:build demo",
		"purity demo":                                     "purity -of=demo",
		"purity log":                                      "purity -of=out/t-redox/log",
		"purity ./demo":                                   "purity -of=out/t-redox/demo",
	} {
		got, err := f.Check(strings.Fields(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
		} else if typed := strings.Join(got.Args, " "); typed != want {
			t.Errorf("%s: %s, want %s", line, typed, want)
		}
	}
	for _, word := range []string{"", "lo"} {
		var names []string
		for _, c := range f.Complete([]string{"pkg:keygen", word}) {
			names = append(names, c.Value)
		}
		if !slices.Contains(names, "log/") {
			t.Errorf("%q goes on to %q", word, names)
		}
	}
	f.From(".")
	if got, err := f.Check([]string{"pkg:keygen", "keys"}); err != nil || got.Args[1] != "keys" {
		t.Errorf("%v, %v", got, err)
	}
}
