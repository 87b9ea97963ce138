package github

import "testing"

func TestAnnotation(t *testing.T) {
	for want, a := range map[string]Annotation{
		"::error file=a/b.rs,line=3,col=7,title=rustc::mismatched types": {Kind: "error", File: "a/b.rs", Line: 3, Col: 7, Title: "rustc", Text: "mismatched types"},
		"::warning title=std/x failed::100%25%0Aof it: a, b":             {Kind: "warning", Title: "std/x failed", Text: "100%\nof it: a, b"},
		"::error file=a%2Cb%3Ac%25.json::x":                              {Kind: "error", File: "a,b:c%.json", Text: "x"},
		"::notice::x%0D":                                                 {Kind: "notice", Text: "x\r"},
	} {
		if got := a.String(); got != want {
			t.Errorf("%+v is\n%s\nwant\n%s", a, got, want)
		}
	}
}
