package errs

import (
	"errors"
	"testing"

	"github.com/hashicorp/go-multierror"
)

func TestOne(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	var none *multierror.Error
	for name, test := range map[string]struct{ in, want error }{
		"nil":             {nil, nil},
		"an empty list":   {none, nil},
		"no list":         {a, a},
		"a list of one":   {multierror.Append(nil, a), a},
		"nothing to list": {multierror.Append(nil, nil), nil},
	} {
		if got := One(test.in); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	two := One(multierror.Append(nil, a, b))
	if !errors.Is(two, a) || !errors.Is(two, b) {
		t.Errorf("a list of two lost one: %v", two)
	}
}

func TestLines(t *testing.T) {
	if got := Lines([]error{errors.New("a\nb"), errors.New("c")}); got != "a\nb\nc" {
		t.Errorf("%q", got)
	}
	if got := FirstLine("a\nb"); got != "a" {
		t.Errorf("%q", got)
	}
}
