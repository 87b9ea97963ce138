package session

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/remote"
	"github.com/pannous/redox-clif/internal/remotesetting"
	"github.com/pannous/redox-clif/internal/ui"
)

// uploadTime is how long the end of a build waits for uploads.
const uploadTime = 30 * time.Second

// RemoteSettings are what is said of a remote cache; without an address there is none.
func (s *Session) RemoteSettings() (remotesetting.Settings, error) {
	overrides, err := s.Overrides()
	if err != nil {
		return remotesetting.Settings{}, err
	}
	return remotesetting.Resolve(s.Config.Remote, s.Config.RemoteEnv, overrides.Remote, s.Config.Overrides)
}

// Remote prepares the use of the remote cache that is set; nil without one, and where the network must not be touched.
func (s *Session) Remote(notice func(string)) (*remote.Client, error) {
	set, err := s.RemoteSettings()
	if err != nil || set.Cache == "" || s.Config.Offline {
		return nil, err
	}
	c := remote.Config{
		Address: set.Cache, Instance: set.InstanceName, CA: set.TLSCertificate, ClientCert: set.TLSClientCertificate, ClientKey: set.TLSClientKey,
		Accept: set.Accept, Upload: set.Upload, Compress: set.Compress, Timeout: set.Timeout, Retries: set.Retries, Build: uuid.NewString(),
		Executor: set.Executor,
	}
	for _, p := range set.Properties {
		c.Properties = append(c.Properties, remote.Property(p))
	}
	if c.Executor != "" && runtime.GOOS != "linux" {
		notice("workers run the toolchain of this machine, so that they and it have to be Linux: steps run here")
		c.Executor = ""
	}
	for _, h := range set.Headers {
		c.Headers = append(c.Headers, remote.Header(h))
	}
	return remote.New(c, s.Store, notice)
}

// remoteUse is the remote cache of a session. The first build opens it; what is read after the build may still be there.
type remoteUse struct {
	client *remote.Client
	ctx    context.Context // of that build
	stop   func()
	// jobs is how many steps workers run at once; fallback has a step run here that none runs.
	jobs     int
	fallback bool
	notice   atomic.Pointer[func(string)] // who is told what a user has to know: what shows the build, while there is one
}

// RemoteFound is the name by which the figures of the last run that asked a remote cache are kept, a [remote.Stats].
const RemoteFound = "remote-cache"

// openRemote opens the remote cache, if there is one.
func (s *Session) openRemote(ctx context.Context) error {
	if s.remote != nil {
		return nil
	}
	set, err := s.RemoteSettings()
	if err != nil {
		return err
	}
	u := &remoteUse{ctx: ctx, jobs: set.ExecJobs, fallback: set.Fallback}
	say := func(line string) { s.Say("%s", line) }
	u.notice.Store(&say)
	client, err := s.Remote(func(line string) { (*u.notice.Load())(line) })
	if err != nil || client == nil {
		return err
	}
	u.client, u.stop = client, s.Store.Use(ctx, client)
	s.remote = u
	return nil
}

// showRemote has show tell what the remote cache has to say, until the function that it returns is called.
func (s *Session) showRemote(show func(string)) (end func()) {
	if s.remote == nil {
		return func() {}
	}
	before := s.remote.notice.Swap(&show)
	return func() { s.remote.notice.Store(before) }
}

// asRemote is what an engine asks; nil without a remote cache.
func (s *Session) asRemote() graph.Remote {
	if s.remote == nil {
		return nil // and no interface with a nil in it
	}
	return s.remote.client
}

// closeRemote waits for the uploads, ends the use of the remote cache and says what it was good for.
func (s *Session) closeRemote() {
	if s.remote == nil {
		return
	}
	s.remote.stop()
	ctx, cancel := context.WithTimeout(s.remote.ctx, uploadTime)
	defer cancel()
	left := s.remote.client.Close(ctx)
	if text := remoteSummary(s.remote.client.Stats(), left); text != "" {
		s.Say("%s", text)
		s.Keep(RemoteFound, s.remote.client.Stats())
	}
	s.remote = nil
}

// remoteSummary says what a remote cache was good for; "" when it was not asked for anything.
func remoteSummary(n remote.Stats, left int) string {
	if n.Hits+n.Misses+n.DownBytes+n.UpBytes+n.Executed+n.Refused == 0 && left == 0 {
		return ""
	}
	text := fmt.Sprintf("remote cache: %d hits, %d misses, %s down, %s up", n.Hits, n.Misses, ui.Bytes(n.DownBytes), ui.Bytes(n.UpBytes))
	if n.Executed+n.Refused > 0 {
		text += fmt.Sprintf("; workers ran %d steps", n.Executed)
	}
	if n.Refused > 0 {
		text += fmt.Sprintf(", and did not run %d", n.Refused)
	}
	if left > 0 {
		text += fmt.Sprintf("; %d results were not uploaded", left)
	}
	return text
}
