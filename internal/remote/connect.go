package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

const (
	// connectTimeout bounds the making of a connection.
	connectTimeout = 3 * time.Second
	// defaultBatch is how many bytes of blobs a message holds when the server does not say: gRPC's default limit of a message, less
	// what goes around the blobs.
	defaultBatch = 4<<20 - margin
	margin       = 64 << 10
	// maxMessage is the largest message that is taken.
	maxMessage = 16 << 20
	// metadataKey is where the API wants to be told who calls.
	metadataKey = "build.bazel.remote.execution.v2.requestmetadata-bin"
)

// dial prepares a connection; it is made by the first call.
func dial(config Config) (*grpc.ClientConn, error) {
	target, secure, err := ParseAddress(config.Address)
	if err != nil {
		return nil, err
	}
	secrets := insecure.NewCredentials()
	if secure {
		if secrets, err = transport(config); err != nil {
			return nil, err
		}
	} else if err := config.checkPlain(target); err != nil {
		return nil, err
	}
	var headers []string
	for _, h := range config.Headers {
		headers = append(headers, h.Name, h.Value)
	}
	with := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, slices.Concat(headers, []string{metadataKey, caller(ctx, config.Build)})...)
	}
	return grpc.NewClient(target,
		grpc.WithNoProxy(), // the library would look for one in the environment
		grpc.WithTransportCredentials(secrets),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: connectTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, in, out any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error {
			return invoke(with(ctx), method, in, out, cc, o...)
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
			return open(with(ctx), desc, cc, method, o...)
		}),
	)
}

// nameKey is the key of a context for the name of what its calls are for.
type nameKey struct{}

// named has the calls of a context say what they are for.
func named(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, nameKey{}, name)
}

// caller is the message that tells a server who calls, encoded.
func caller(ctx context.Context, build string) string {
	name, _ := ctx.Value(nameKey{}).(string)
	text, err := proto.Marshal(&repb.RequestMetadata{
		ToolDetails: &repb.ToolDetails{ToolName: "redox-clif"}, ToolInvocationId: build, TargetId: name,
	})
	if err != nil {
		return "" // a name that is no text; nobody depends on this
	}
	return string(text)
}

// ParseAddress is the target of an address in gRPC's form, and whether it is reached by TLS.
func ParseAddress(address string) (target string, secure bool, err error) {
	scheme, rest, ok := strings.Cut(address, "://")
	switch {
	case strings.HasPrefix(address, "unix:"):
		path := strings.TrimPrefix(strings.TrimPrefix(address, "unix:"), "//")
		if path == "" {
			return "", false, errors.New("unix: wants the path of a socket behind it")
		}
		return "unix:" + path, false, nil
	case !ok:
		rest, scheme = address, "grpcs"
	}
	if scheme != "grpc" && scheme != "grpcs" {
		return "", false, fmt.Errorf("scheme %q is not known: grpc://HOST:PORT, grpcs://HOST:PORT (TLS) or unix:PATH", scheme)
	}
	host, port, err := net.SplitHostPort(strings.TrimSuffix(rest, "/"))
	if err != nil || host == "" || port == "" {
		return "", false, fmt.Errorf("%q is not HOST:PORT", rest)
	}
	return "dns:///" + net.JoinHostPort(host, port), scheme == "grpcs", nil
}

// checkPlain refuses what must not go over a line that others can read.
func (config Config) checkPlain(target string) error {
	if config.CA != "" || config.ClientCert != "" || config.ClientKey != "" {
		return errors.New("certificates are for grpcs://, not for grpc:// and unix:")
	}
	host, _, _ := net.SplitHostPort(strings.TrimPrefix(target, "dns:///"))
	if strings.HasPrefix(target, "unix:") || host == "localhost" || net.ParseIP(host).IsLoopback() {
		return nil
	}
	for _, h := range config.Headers {
		if h.Name == "authorization" || strings.HasSuffix(h.Name, "-token") || strings.HasSuffix(h.Name, "-key") {
			return fmt.Errorf("the header %q would go to another machine in clear: use grpcs://", h.Name)
		}
	}
	return nil
}

func transport(config Config) (credentials.TransportCredentials, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if config.CA != "" {
		text, err := os.ReadFile(config.CA)
		if err != nil {
			return nil, err
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificate in PEM form", config.CA)
		}
	}
	if (config.ClientCert == "") != (config.ClientKey == "") {
		return nil, errors.New("a client certificate and its key go together, one of them is missing")
	}
	if config.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(config.ClientCert, config.ClientKey)
		if err != nil {
			return nil, err
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(t), nil
}

// Capabilities are what a server can do, as far as it matters here.
type Capabilities struct {
	// API is the newest version of the interface ("2.12").
	API string `json:"api"`
	// Update says that results may be uploaded.
	Update bool `json:"update"`
	// Execute says that it runs actions.
	Execute bool `json:"execute"`
	// BatchBytes is how many bytes of blobs one message may hold.
	BatchBytes int64 `json:"batch_bytes"`
	// Zstd says that blobs can be moved compressed.
	Zstd bool `json:"zstd"`
}

// ask asks for the capabilities and refuses a server that cannot serve.
func (c *Client) ask(ctx context.Context) (*Capabilities, error) {
	var got *repb.ServerCapabilities
	err := c.call(ctx, 0, func(ctx context.Context) (err error) {
		got, err = c.about.GetCapabilities(ctx, &repb.GetCapabilitiesRequest{InstanceName: c.config.Instance})
		return err
	})
	if err != nil {
		return nil, err
	}
	cache := got.GetCacheCapabilities()
	usable := false
	for _, f := range cache.GetDigestFunctions() {
		usable = usable || f == repb.DigestFunction_SHA256
	}
	if !usable {
		return nil, fmt.Errorf("it names blobs by %v, not by SHA256", cache.GetDigestFunctions())
	}
	found := &Capabilities{
		Update: cache.GetActionCacheUpdateCapabilities().GetUpdateEnabled(), Execute: got.GetExecutionCapabilities().GetExecEnabled(),
		BatchBytes: defaultBatch,
	}
	if v := got.GetHighApiVersion(); v != nil {
		found.API = fmt.Sprintf("%d.%d", v.Major, v.Minor)
		if v.Major != 2 {
			return nil, fmt.Errorf("it speaks version %s of the Remote Execution API, not 2", found.API)
		}
	}
	if limit := cache.GetMaxBatchTotalSizeBytes(); limit > 0 {
		found.BatchBytes = max(min(limit-margin, defaultBatch), 1)
	}
	for _, z := range cache.GetSupportedCompressors() {
		found.Zstd = found.Zstd || z == repb.Compressor_ZSTD
	}
	return found, nil
}

// askExecutor asks whether the executor runs commands.
func (c *Client) askExecutor(ctx context.Context) (runs bool, err error) {
	if c.executorConnection == c.connection {
		found, err := c.capabilities()
		return err == nil && found.Execute, err
	}
	err = c.call(ctx, 0, func(ctx context.Context) error {
		got, err := c.executorAbout.GetCapabilities(ctx, &repb.GetCapabilitiesRequest{InstanceName: c.config.Instance})
		runs = got.GetExecutionCapabilities().GetExecEnabled()
		return err
	})
	return runs, err
}

// Check asks the server what it can do, for whoever wants to know whether it is of use.
func (c *Client) Check(context.Context) (*Capabilities, error) {
	found, err := c.capabilities()
	if err != nil {
		return nil, errors.New(explain(err))
	}
	return found, nil
}
