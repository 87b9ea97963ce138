package signedindex

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/pkgar"
)

const target = "aarch64-unknown-redox"

func testKey(t testing.TB, n byte) pkgar.SecretKey {
	t.Helper()
	key, err := pkgar.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{n}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sample() *Index {
	hash := strings.Repeat("ab", 32)
	return &Index{Target: target, Repository: strings.Repeat("0f", 16), Serial: 7, Date: "2026-01-21T12:00:00Z", Packages: []Package{
		{Name: "vim", Since: 7, Version: "9 <&>", Depends: []string{"ncurses"}, Table: hash, Archive: hash, NetworkSize: 5, StorageSize: 6, Source: "abc"},
		{Name: "tools", Since: 3, Depends: []string{"vim"}},
	}}
}

func TestRoundTrip(t *testing.T) {
	key, x := testKey(t, 1), sample()
	file, err := x.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	got, digest, err := Verify(file, key.Public(), target)
	if err != nil || len(digest) != 64 {
		t.Fatal(digest, err)
	}
	if diff := cmp.Diff(x, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Find("vim") == nil || got.Find("vi") != nil || got.Packages[0].Name != "tools" {
		t.Errorf("%v", got.Packages)
	}
	if again, err := sample().Sign(key); err != nil || !bytes.Equal(again, file) {
		t.Errorf("the same index has other bytes: %s, %v", again, err)
	}
	if _, _, err := Verify(file, testKey(t, 2).Public(), target); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	if _, _, err := Verify(file, key.Public(), "x86_64-unknown-redox"); !errors.Is(err, ErrForm) {
		t.Errorf("another target: %v", err)
	}
}

// sealed signs any payload.
func sealed(t *testing.T, payload string, message []byte) []byte {
	t.Helper()
	sig, err := testKey(t, 1).Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(envelope{PayloadType: payloadType, Payload: base64.StdEncoding.EncodeToString([]byte(payload)),
		Signatures: []signature{{Sig: base64.StdEncoding.EncodeToString(sig)}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What is signed has one form; also the key's owner cannot sign two readings of it.
func TestOneForm(t *testing.T) {
	x := sample()
	x.Packages = x.Packages[1:]
	x.Key = testKey(t, 1).Public().String()
	good, err := x.encode()
	if err != nil {
		t.Fatal(err)
	}
	hash := strings.Repeat("ab", 32)
	archive := `"version":"1","table":"` + hash + `","archive":"` + hash + `"`
	for name, oldNew := range map[string][2]string{
		"good":                {"", ""},
		"a key that is new":   {`"serial"`, `"more":1,"serial"`},
		"a key twice":         {`"serial":7`, `"serial":7,"serial":8`},
		"other case":          {`"serial"`, `"Serial"`},
		"white space":         {`"serial":7`, `"serial": 7`},
		"escaped":             {`"tools"`, `"t\u006fols"`},
		"serial 0":            {`"serial":7`, `"serial":0`},
		"a negative serial":   {`"serial":7`, `"serial":-1`},
		"a huge serial":       {`"serial":7`, `"serial":9007199254740993`},
		"past all integers":   {`"serial":7`, `"serial":99999999999999999999`},
		"since never":         {`"since":3`, `"since":0`},
		"since later":         {`"since":3`, `"since":8`},
		"a float":             {`"serial":7`, `"serial":7e0`},
		"NaN":                 {`"2026-01-21T12:00:00Z"`, `"NaN"`},
		"no date":             {`"2026-01-21T12:00:00Z"`, `""`},
		"another zone":        {`12:00:00Z`, `12:00:00+01:00`},
		"fractions":           {`12:00:00Z`, `12:00:00.5Z`},
		"no such day":         {`2026-01-21`, `2026-02-30`},
		"a date as a number":  {`"2026-01-21T12:00:00Z"`, `1`},
		"a package twice":     {`[{"name":"tools","since":3,"depends":["vim"]}`, `[{"name":"tools","since":3,"depends":["vim"]},{"name":"tools","since":3}`},
		"out of order":        {`[{"name":"tools"`, `[{"name":"z","since":3},{"name":"tools"`},
		"case only":           {`[{"name":"tools"`, `[{"name":"Tools","since":3},{"name":"tools"`},
		"null":                {`"depends":["vim"]`, `"depends":null`},
		"not an identity":     {`"repository":"0f`, `"repository":"0F`},
		"no packages":         {`"packages":[{"name":"tools","since":3,"depends":["vim"]}]`, `"packages":null`},
		"archive, no version": {`"name":"tools","since":3,"depends":["vim"]`, `"name":"tools","since":3,"depends":["vim"],"table":"` + hash + `"`},
		"upper case":          {`"name":"tools","since":3,"depends":["vim"]`, `"name":"tools","since":3,` + strings.Replace(archive, `"table":"ab`, `"table":"AB`, 1)},
		"short":               {`"name":"tools","since":3,"depends":["vim"]`, `"name":"tools","since":3,` + strings.Replace(archive, `"table":"ab`, `"table":"`, 1)},
		"not UTF-8":           {`tools`, "t\xff"},
	} {
		payload := strings.Replace(string(good), oldNew[0], oldNew[1], 1)
		if (payload == string(good)) != (name == "good") {
			t.Fatalf("%s: nothing to replace in %s", name, good)
		}
		if _, _, err := Verify(sealed(t, payload, signedBytes([]byte(payload))), testKey(t, 1).Public(), target); (err == nil) != (name == "good") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	payload := string(good)
	if _, _, err := Verify(sealed(t, payload+"{}", signedBytes([]byte(payload+"{}"))), testKey(t, 1).Public(), target); !errors.Is(err, ErrForm) {
		t.Errorf("with something behind: %v", err)
	}
	// A signature of anything else, the bare payload included, is none of an index.
	for _, message := range []string{payload, "DSSEv1 1 x 1 " + payload, string(signedBytes([]byte(payload + " ")))} {
		if _, _, err := Verify(sealed(t, payload, []byte(message)), testKey(t, 1).Public(), target); !errors.Is(err, ErrSignature) {
			t.Errorf("signed as something else: %v", err)
		}
	}
}

// No signature of an archive is one of an index, nor the other way round: an archive's is over 72 bytes, and those are never signed here.
func TestNoSignatureOfAnArchive(t *testing.T) {
	if smallest, err := (&Index{}).encode(); err != nil || len(signedBytes(smallest)) <= 72 {
		t.Errorf("%s: %d bytes are signed", smallest, len(signedBytes(smallest)))
	}
	if _, err := testKey(t, 1).Sign(make([]byte, 72)); err == nil {
		t.Error("72 bytes were signed")
	}
}

func TestDate(t *testing.T) {
	if got := Date(time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600))); got != "2026-01-02T02:04:05Z" {
		t.Error(got)
	}
}

func FuzzVerify(f *testing.F) {
	key := testKey(f, 1)
	file, err := sample().Sign(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Fuzz(func(t *testing.T, file []byte) {
		x, _, err := Verify(file, key.Public(), target)
		if err == nil && (x.Serial != 7 || len(x.Packages) != 2) {
			t.Errorf("forged: %+v", x)
		}
		if x, err := decode(file); err == nil {
			if again, err := x.encode(); err != nil || !bytes.Equal(again, file) {
				t.Errorf("two forms: %s, %s", file, again)
			}
		}
	})
}
