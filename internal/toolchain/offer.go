package toolchain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/pannous/redox-clif/internal/download"
)

// distServer is where rustup installs from unless RUSTUP_DIST_SERVER says otherwise (rustup's book, "Environment variables").
const distServer = "https://static.rust-lang.org"

// Dist asks the server that rustup installs from what it offers.
type Dist struct {
	Server string // as RUSTUP_DIST_SERVER has it, a URL; "" is rustup's default
	Host   string // the triple that components are wanted for
}

// Offer is what the server has of a channel.
type Offer struct {
	Server string `json:"server"`
	Host   string `json:"host"`
	// Missing are optional components that are not offered for Host.
	Missing []string `json:"missing"`
}

// NotOffered means that rustup could not install a channel: the server does not have it, or not everything that it needs.
type NotOffered struct {
	Channel, Server, Host string
	Missing               []string // components; none when there is no such channel
}

// Error says what is not offered, and by whom.
func (n *NotOffered) Error() string {
	if len(n.Missing) == 0 {
		return fmt.Sprintf("rustup's server %s offers no %s: name another day, or another server (RUSTUP_DIST_SERVER)", n.Server, n.Channel)
	}
	return fmt.Sprintf("rustup's server %s offers %s without %s for %s: name another day", n.Server, n.Channel, strings.Join(n.Missing, ", "), n.Host)
}

// NoAnswer means that it is not known what the server offers: it cannot be reached, or answers something else.
type NoAnswer struct{ Err error }

// Error is the reason alone.
func (n *NoAnswer) Error() string { return n.Err.Error() }

// Unwrap gives the reason.
func (n *NoAnswer) Unwrap() error { return n.Err }

// minimal are the components of rustup's profile "minimal", which every profile has.
var minimal = []string{"rustc", "cargo", "rust-std"}

// Ask asks for the components of a pin in another channel than the pin's. What the pin has as optional may be missing in the Offer. The
// error is a *NotOffered when rustup could not install the rest, a *NoAnswer, the context's, or says that there can be no such channel.
func (d Dist) Ask(ctx context.Context, channel string, pin *Pin) (*Offer, error) {
	m, server, err := d.manifest(ctx, channel)
	if err != nil {
		return nil, err
	}
	if missing := m.missing(d.Host, slices.Concat(minimal, pin.Toolchain.Components)); len(missing) > 0 {
		return nil, &NotOffered{channel, server, d.Host, missing}
	}
	return &Offer{Server: server, Host: d.Host, Missing: m.missing(d.Host, pin.Optional.Components)}, nil
}

// manifest reads what the server says of a channel. The errors are those of Ask.
func (d Dist) manifest(ctx context.Context, channel string) (m *channelManifest, server string, err error) {
	if err := checkChannel(channel); err != nil {
		return nil, "", err
	}
	server = cmp.Or(strings.TrimSuffix(d.Server, "/"), distServer)
	m, err = readManifest(ctx, server+"/dist/"+manifestPath(channel))
	switch {
	case errors.Is(err, download.ErrNotFound):
		return nil, "", &NotOffered{Channel: channel, Server: server}
	case ctx.Err() != nil:
		return nil, "", ctx.Err()
	case err != nil:
		return nil, "", &NoAnswer{err}
	}
	return m, server, nil
}

// manifestPath is where the manifest of a channel lies below dist/: that of a day in a folder of its own.
func manifestPath(channel string) string {
	if kind, day, dated := strings.Cut(channel, "-"); dated {
		return day + "/channel-rust-" + kind + ".toml"
	}
	return "channel-rust-" + channel + ".toml"
}

// channelManifest is what is asked of a channel's manifest, in the form of version 2.
type channelManifest struct {
	Version string `toml:"manifest-version"`
	Pkg     map[string]struct {
		Commit string                      `toml:"git_commit_hash"` // 40 hexadecimal digits
		Target map[string]componentArchive `toml:"target"`          // by triple, or "*" for all
	} `toml:"pkg"`
	// Renames are the names that people use for packages.
	Renames map[string]struct {
		To string `toml:"to"`
	} `toml:"renames"`
}

// componentArchive is a .tar.xz, as rustup takes them, that rust-installer made.
type componentArchive struct {
	Available bool   `toml:"available"`
	URL       string `toml:"xz_url"`
	Hash      string `toml:"xz_hash"` // SHA-256 in hexadecimal
}

const (
	maxManifest    = 16 << 20         // bytes; they have about 1 MB
	serverPatience = 15 * time.Second // somebody waits for the answer, and can do without
)

func readManifest(ctx context.Context, location string) (*channelManifest, error) {
	client := download.Client{Stall: serverPatience, Attempts: 1}
	text, err := client.Bytes(ctx, []string{location}, maxManifest)
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("%s: %w", location, failed.Err) // it has the location already, twice
	}
	if err != nil {
		return nil, err
	}
	m := &channelManifest{}
	if err := toml.Unmarshal(text, m); err != nil || m.Version != "2" {
		return nil, fmt.Errorf("%s: the answer is no manifest of a channel", location)
	}
	return m, nil
}

// missing are those components that the channel does not have for a host. It is never nil.
func (m *channelManifest) missing(host string, components []string) []string {
	missing := []string{}
	for _, name := range components {
		if !m.archive(name, host).Available {
			missing = append(missing, name)
		}
	}
	return missing
}

// archive is that of a component for a host.
func (m *channelManifest) archive(component, host string) componentArchive {
	if r, ok := m.Renames[component]; ok {
		component = r.To
	}
	targets := m.Pkg[component].Target
	if a := targets[host]; a.Available {
		return a
	}
	return targets["*"]
}

// HostTriple is the triple of a machine, by Go's names of its system and processor; of two C libraries gnu is taken.
func HostTriple(goos, goarch string) string {
	if goos == "darwin" {
		return rustArch(goarch) + "-apple-darwin"
	}
	return rustArch(goarch) + "-unknown-" + goos + "-gnu"
}
