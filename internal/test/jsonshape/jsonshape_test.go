package jsonshape

import (
	"reflect"
	"testing"
	"time"
)

type inner struct {
	A string `json:"a"`
	B int    `json:"b,omitempty"`
}

type outer struct {
	inner
	When  time.Time         `json:"when"`
	Of    map[string][]bool `json:"of"`
	Self  []outer           `json:"self"`
	Gone  string            `json:"-"`
	Plain float64
}

func TestShape(t *testing.T) {
	want := "[].a text\n[].b? number\n[].when text\n[].of{}[] true or false\n[].self[] as above\n[].Plain number\n"
	if got := Of(reflect.TypeFor[[]*outer]()); got != want {
		t.Errorf("%s", got)
	}
}
