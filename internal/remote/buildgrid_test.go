package remote

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/test/wants"
)

// authority makes certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.make(name, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature})
	return a
}

// file is a file of the authority's: NAME.pem or NAME.key.
func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// make makes a certificate and its key, as files as well.
func (a *authority) make(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	must := func(err error) {
		if err != nil {
			a.t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	must(err)
	made, err := x509.ParseCertificate(der)
	must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	must(os.WriteFile(a.file(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(os.WriteFile(a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return made, key
}

// token is a JSON web token for a secret, that ends at a time.
func token(secret string, end time.Time) string {
	part := base64.RawURLEncoding
	text := part.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + part.EncodeToString(fmt.Appendf(nil, `{"sub":"test","exp":%d}`, end.Unix()))
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write([]byte(text))
	return "Bearer " + text + "." + part.EncodeToString(sum.Sum(nil))
}

// The configuration of docs/remote-cache.md; KEY, CERT, CLIENTS, SECRET, DIR and ADDRESS are put in.
const buildGridConfig = `server:
  - !channel
    address: ADDRESS
    insecure-mode: false
    credentials:
      tls-server-key: KEY
      tls-server-cert: CERT
      tls-client-certs: CLIENTS
authorization:
  method: jwt
  secret: SECRET
  algorithm: hs256
instances:
  - name: ''
    storages:
      - !disk-storage &cas
        path: DIR/cas
    caches:
      - !lru-action-cache &results
        storage: *cas
        max-cached-refs: 10000
        allow-updates: true
        cache-failed-actions: false
    services:
      - !action-cache
        cache: *results
      - !cas
        storage: *cas
      - !bytestream
        storage: *cas
thread-pool-size: 30
`

const buildGridSecret = "a secret that is long enough for its algorithm"

// startBuildGrid runs a server that wants TLS, a client's certificate and a token, and returns its address.
func startBuildGrid(t *testing.T, bin string, a *authority) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	dir := t.TempDir()
	secret, config := filepath.Join(dir, "secret"), filepath.Join(dir, "config.yml")
	text := strings.NewReplacer("ADDRESS", address, "KEY", a.file("server.key"), "CERT", a.file("server.pem"), "CLIENTS", a.file("ca.pem"), "SECRET", secret, "DIR", dir).Replace(buildGridConfig)
	for name, text := range map[string]string{secret: buildGridSecret, config: text} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "bgd"), "server", "start", config)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("BuildGrid said:\n%s", said)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		if line, err := net.Dial("tcp", address); err == nil {
			_ = line.Close()
			return "grpcs://" + address
		}
		select {
		case <-ctx.Done():
			t.Fatal("BuildGrid does not answer")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// A server by others, with everything that keeps strangers out. Who lacks something builds without it and is told what.
func TestBuildGridWithCertificatesAndTokens(t *testing.T) {
	bin := wants.BuildGrid.On(t)
	a := newAuthority(t, "ca")
	a.make("server", &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	a.make("client", &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if _, err := tls.LoadX509KeyPair(a.file("client.pem"), a.file("client.key")); err != nil {
		t.Fatal(err)
	}
	address := startBuildGrid(t, bin, a)
	machineWith := func(t *testing.T, edit func(*Config)) *machine {
		t.Helper()
		store, err := cas.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		m := &machine{t: t, store: store}
		c := Config{
			Address: address, Accept: true, Upload: true, Retries: 3, Timeout: 30 * time.Second, CA: a.file("ca.pem"), ClientCert: a.file("client.pem"), ClientKey: a.file("client.key"),
			Headers: []Header{{"authorization", token(buildGridSecret, time.Now().Add(time.Hour))}},
		}
		if edit != nil {
			edit(&c)
		}
		if m.Client, err = New(c, store, func(line string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.notices = append(m.notices, line)
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(store.Use(t.Context(), m.Client))
		return m
	}
	first := machineWith(t, nil)
	act, files := sample()
	root := first.put(files)
	first.Offer(act, action.Result{Output: root})
	if left := first.Close(t.Context()); left != 0 || first.said() != "" {
		t.Fatalf("%d left: %s", left, first.said())
	}
	second := machineWith(t, nil)
	if r, ok := second.Lookup(t.Context(), act); !ok || r.Output != root {
		t.Fatalf("%+v, %v: %s", r, ok, second.said())
	}
	second.check(root)
	for name, c := range map[string]struct {
		edit func(*Config)
		said string
	}{
		"no client certificate": {func(c *Config) { c.ClientCert, c.ClientKey = "", "" }, "client certificate"},
		"another authority":     {func(c *Config) { c.CA = newAuthority(t, "ca").file("ca.pem") }, "certificate"},
		"no token":              {func(c *Config) { c.Headers = nil }, "it wants credentials"},
		"an expired token": {func(c *Config) {
			c.Headers = []Header{{"authorization", token(buildGridSecret, time.Now().Add(-time.Hour))}}
		}, "it wants credentials"},
		"a forged token": {func(c *Config) {
			c.Headers = []Header{{"authorization", token("another secret", time.Now().Add(time.Hour))}}
		}, "it wants credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			m := machineWith(t, func(c2 *Config) { c2.Retries = 1; c.edit(c2) })
			if _, ok := m.Lookup(t.Context(), act); ok {
				t.Error("it got in")
			}
			if said := m.said(); !strings.Contains(said, c.said) || strings.Contains(said, "Bearer ey") || strings.Count(said, "\n") > 0 {
				t.Errorf("it says %q", said)
			}
		})
	}
}
