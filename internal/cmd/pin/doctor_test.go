package pin

import (
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/doctor"
	"github.com/pannous/redox-clif/internal/remote/remotetest"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// The doctor asks the server itself: what is set may be of no use.
func TestDoctorAsksTheRemoteCache(t *testing.T) {
	for name, c := range map[string]struct {
		faults          remotetest.Faults
		env             map[string]string
		detail, problem string
	}{
		"reading":        {remotetest.Faults{}, nil, "API 2.3, results are only read", ""},
		"uploading":      {remotetest.Faults{}, map[string]string{"REDOX_REMOTE_UPLOAD_LOCAL_RESULTS": "1"}, "results are uploaded", ""},
		"an instance":    {remotetest.Faults{Instance: "main"}, map[string]string{"REDOX_REMOTE_INSTANCE_NAME": "main"}, "instance main", ""},
		"read-only":      {remotetest.Faults{ReadOnly: true}, map[string]string{"REDOX_REMOTE_UPLOAD_LOCAL_RESULTS": "1"}, "", "it takes no results"},
		"wrong instance": {remotetest.Faults{Instance: "main"}, nil, "", "is the instance name right?"},
		"no token":       {remotetest.Faults{Token: "Bearer x"}, nil, "", "it wants credentials"},
		"a wrong token":  {remotetest.Faults{Token: "Bearer x"}, map[string]string{"REDOX_REMOTE_HEADER": "authorization=Bearer secret-y"}, "", "it wants credentials"},
	} {
		s := sessiontest.InCheckout(t, nil)
		s.Config.RemoteEnv = map[string]string{"REDOX_REMOTE_CACHE": remotetest.Start(t, c.faults).Address}
		for k, v := range c.env {
			s.Config.RemoteEnv[k] = v
		}
		r, err := remoteCache(t.Context(), s)
		if err != nil {
			t.Fatal(name, err)
		}
		if !strings.Contains(r.Detail, c.detail) || !strings.Contains(r.Problem, c.problem) || (r.Problem == "") != (c.problem == "") {
			t.Errorf("%s: %+v", name, r)
		}
		if strings.Contains(r.Problem+r.Detail, "secret") {
			t.Errorf("%s: the token is shown: %+v", name, r)
		}
	}
	s := sessiontest.InCheckout(t, nil)
	if r, err := remoteCache(t.Context(), s); r != nil || err != nil {
		t.Errorf("without one: %+v, %v", r, err)
	}
	s.Config.RemoteEnv = map[string]string{"REDOX_REMOTE_CACHE": "ftp://x"}
	if r, err := remoteCache(t.Context(), s); err != nil || *r != (doctor.Remote{Address: "ftp://x", Problem: `the remote cache ftp://x: scheme "ftp" is not known: grpc://HOST:PORT, grpcs://HOST:PORT (TLS) or unix:PATH`}) {
		t.Errorf("a wrong address: %+v, %v", r, err)
	}
}
