package discovery_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emamw/mcp-ema/internal/discovery"
)

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// ask makes one GET and returns the status, the body and the error of either.
func ask(t *testing.T, c *http.Client, address string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func ok(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }

// The server is on loopback, so whether it is reached tells whether the guard
// held. "localhost" is resolved by the dialer, and the others are literals.
func TestClientRefusesAddresses(t *testing.T) {
	s := serve(t, ok)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	local, name := "http://127.0.0.1:"+port, "http://localhost:"+port
	const public = "https://as.example.com"
	allowHTTP := discovery.Policy{AllowHTTP: true}
	allowBoth := discovery.Policy{AllowHTTP: true, AllowPrivate: true}
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

	for name, tt := range map[string]struct {
		base    *http.Client
		origin  string
		policy  discovery.Policy
		address string
		reached bool
	}{
		"origin on this machine":               {nil, local, discovery.Policy{}, local, true},
		"origin on this machine, by name":      {nil, name, discovery.Policy{}, name, true},
		"origin on this machine, the other":    {nil, name, discovery.Policy{}, local, true},
		"public origin":                        {nil, public, discovery.Policy{}, local, false},
		"public origin, by name":               {nil, public, discovery.Policy{}, name, false},
		"public origin, http allowed":          {nil, public, allowHTTP, local, false},
		"public origin, private allowed":       {nil, public, allowBoth, local, true},
		"public origin, mapped literal":        {nil, public, discovery.Policy{}, "http://[::ffff:127.0.0.1]:" + port, false},
		"public origin, 0.0.0.0":               {nil, public, allowHTTP, "http://0.0.0.0:" + port, false},
		"local origin, 0.0.0.0":                {nil, local, allowHTTP, "http://0.0.0.0:" + port, false},
		"local origin, private neighbour":      {nil, local, allowHTTP, "http://10.0.0.1:" + port, false},
		"own transport, public origin":         {plain, public, discovery.Policy{}, local, false},
		"own transport, public origin, name":   {plain, public, discovery.Policy{}, name, false},
		"own transport, origin here":           {plain, local, discovery.Policy{}, local, true},
		"own transport, private allowed":       {plain, public, allowBoth, local, true},
		"base without transport is guarded":    {&http.Client{}, public, discovery.Policy{}, local, false},
		"base without transport, origin here":  {&http.Client{}, local, discovery.Policy{}, local, true},
		"an origin that is no URL is not here": {nil, "%", discovery.Policy{}, local, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, body, err := ask(t, discovery.Client(tt.base, tt.origin, tt.policy), tt.address)
			if reached := body == "ok"; reached != tt.reached {
				t.Errorf("reached: %v, error: %v", reached, err)
			}
			if !tt.reached && !errors.Is(err, discovery.ErrAddress) {
				t.Errorf("error = %v, want ErrAddress", err)
			}
		})
	}
}

// What a name resolves to is judged by the dialer, with the address in hand.
func TestClientChecksAfterResolution(t *testing.T) {
	s := serve(t, ok)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for name, tt := range map[string]struct {
		origin  string
		policy  discovery.Policy
		address string
		reached bool
	}{
		"public origin, name":    {"https://as.example.com", discovery.Policy{}, "localhost:" + port, false},
		"public origin, literal": {"https://as.example.com", discovery.Policy{AllowHTTP: true}, "127.0.0.1:" + port, false},
		"origin here":            {"http://localhost", discovery.Policy{}, "localhost:" + port, true},
		"private allowed":        {"https://as.example.com", discovery.Policy{AllowPrivate: true}, "localhost:" + port, true},
	} {
		conn, err := discovery.Dial(t.Context(), discovery.Client(nil, tt.origin, tt.policy), tt.address)
		if (err == nil) != tt.reached || !tt.reached && !errors.Is(err, discovery.ErrAddress) {
			t.Errorf("%s: error %v, want reached: %v", name, err, tt.reached)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestClientRefusesPlainHTTP(t *testing.T) {
	c := discovery.Client(nil, "https://as.example.com", discovery.Policy{})
	_, _, err := ask(t, c, "http://as.example.com/keys")
	if err == nil || !strings.Contains(err.Error(), "the URL uses http") {
		t.Errorf("error = %v", err)
	}
	req := must(http.NewRequestWithContext(t.Context(), http.MethodPost, "http://as.example.com", nil))
	body := &closeRecorder{Reader: strings.NewReader("x")}
	req.Body = body
	if _, err := c.Transport.RoundTrip(req); err == nil || !body.closed {
		t.Errorf("error %v, body closed: %v", err, body.closed)
	}
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestClientRedirects(t *testing.T) {
	other := serve(t, ok)
	var here string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{
			"/relative":   "/end",
			"/absolute":   here + "/end",
			"/1":          "/end",
			"/2":          "/1",
			"/3":          "/2",
			"/4":          "/3",
			"/loop":       "/loop",
			"/other":      other.URL + "/end",
			"/otherhost":  strings.Replace(here, "127.0.0.1", "localhost", 1) + "/end",
			"/via":        "/other",
			"/metadata":   "http://169.254.169.254/latest/meta-data",
			"/file":       "file:///etc/passwd",
			"/https":      strings.Replace(here, "http:", "https:", 1) + "/end",
			"/samescheme": strings.Replace(here, "http:", "HTTP:", 1) + "/end",
		}[r.URL.Path]
		if to == "" {
			io.WriteString(w, "ok")
			return
		}
		http.Redirect(w, r, to, http.StatusFound)
	})
	here = s.URL

	for path, followed := range map[string]bool{
		"/end":        true,
		"/relative":   true,
		"/absolute":   true,
		"/samescheme": true,
		"/3":          true,
		"/4":          false,
		"/loop":       false,
		"/other":      false, // another port
		"/otherhost":  false,
		"/via":        false,
		"/metadata":   false,
		"/file":       false,
		"/https":      false,
	} {
		c := discovery.Client(nil, here, discovery.Policy{AllowHTTP: true, AllowPrivate: true})
		_, body, err := ask(t, c, here+path)
		if (body == "ok") != followed {
			t.Errorf("%s: body %q, error %v; want followed: %v", path, body, err, followed)
		}
		if !followed && !errors.Is(err, discovery.ErrRedirect) {
			t.Errorf("%s: error = %v, want ErrRedirect", path, err)
		}
	}
}

// Two spellings of one origin: a default port may be written or not.
func TestClientRedirectsToSpellings(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		followed bool
	}{
		{"https://as.example.com/a", "https://as.example.com:443/b", true},
		{"https://as.example.com:443/a", "https://AS.example.com/b", true},
		{"http://localhost/a", "http://localhost:80/b", true},
		{"https://as.example.com/a", "https://as.example.com:80/b", false},
		{"https://as.example.com/a", "https://as.example.com:8443/b", false},
		{"https://as.example.com/a", "https://www.as.example.com/b", false},
		{"https://as.example.com/a", "http://as.example.com:443/b", false},
		{"https://as.example.com/a", "//evil.example/b", false},
	} {
		base := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			resp := &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {tt.to}}, Body: http.NoBody, Request: r}
			if r.URL.Path == "/b" {
				resp.StatusCode, resp.Body = http.StatusOK, io.NopCloser(strings.NewReader("ok"))
			}
			return resp, nil
		})}
		_, body, err := ask(t, discovery.Client(base, tt.from, discovery.Policy{AllowHTTP: true}), tt.from)
		if (body == "ok") != tt.followed || !tt.followed && !errors.Is(err, discovery.ErrRedirect) {
			t.Errorf("%s to %s: body %q, error %v", tt.from, tt.to, body, err)
		}
	}
}

// A redirect from https to http is one to another origin, with any policy.
func TestClientDowngrade(t *testing.T) {
	plain := serve(t, ok)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL, http.StatusFound)
	}))
	defer s.Close()
	c := discovery.Client(s.Client(), s.URL, discovery.Policy{AllowHTTP: true, AllowPrivate: true})
	if _, _, err := ask(t, c, s.URL); !errors.Is(err, discovery.ErrRedirect) {
		t.Errorf("error = %v, want ErrRedirect", err)
	}
}

func TestClientBoundsBody(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/exact":
			io.WriteString(w, strings.Repeat("x", discovery.MaxBodyBytes))
		case "/more":
			io.WriteString(w, strings.Repeat("x", discovery.MaxBodyBytes+1))
		default: // without end
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
					return
				}
			}
		}
	})
	for path, fits := range map[string]bool{"/exact": true, "/more": false, "/endless": false} {
		_, body, err := ask(t, discovery.Client(nil, s.URL, discovery.Policy{}), s.URL+path)
		if fits && (err != nil || len(body) != discovery.MaxBodyBytes) {
			t.Errorf("%s: %d bytes, %v", path, len(body), err)
		}
		if !fits && (!errors.Is(err, discovery.ErrTooLarge) || len(body) > discovery.MaxBodyBytes) {
			t.Errorf("%s: %d bytes, %v", path, len(body), err)
		}
	}
	// The end stays the end, however often it is asked for.
	resp := must(discovery.Client(nil, s.URL, discovery.Policy{}).Get(s.URL + "/more"))
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, discovery.ErrTooLarge) {
		t.Errorf("read %d bytes after the end, %v", n, err)
	}
}

func TestClientTimeout(t *testing.T) {
	for name, tt := range map[string]struct {
		base *http.Client
		want time.Duration
	}{
		"none":    {nil, 10 * time.Second},
		"unset":   {&http.Client{}, 10 * time.Second},
		"shorter": {&http.Client{Timeout: time.Second}, time.Second},
		"longer":  {&http.Client{Timeout: time.Hour}, 10 * time.Second},
	} {
		if got := discovery.Client(tt.base, "https://as.example.com", discovery.Policy{}).Timeout; got != tt.want {
			t.Errorf("%s: timeout = %s, want %s", name, got, tt.want)
		}
	}
}

func TestClientTLSVersion(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	s.StartTLS()
	defer s.Close()
	_, _, err := ask(t, discovery.Client(nil, s.URL, discovery.Policy{AllowPrivate: true}), s.URL)
	if err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("error = %v, want one about the protocol version", err)
	}
}

// A proxy of the environment is on a private address more often than not. It is
// the operator's, so it may be; what is asked of it is judged as text.
func TestClientThroughProxy(t *testing.T) {
	asked := make(chan string, 1)
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.String()
		io.WriteString(w, "ok")
	})
	discovery.UseProxy(t, must(url.Parse(proxy.URL)))

	c := discovery.Client(nil, "http://as.example.com", discovery.Policy{AllowHTTP: true})
	if _, body, err := ask(t, c, "http://as.example.com/keys"); body != "ok" || err != nil {
		t.Fatalf("body %q, error %v", body, err)
	}
	if got := <-asked; got != "http://as.example.com/keys" {
		t.Errorf("the proxy was asked for %s", got)
	}
	if _, _, err := ask(t, c, "http://169.254.169.254/latest"); !errors.Is(err, discovery.ErrAddress) {
		t.Errorf("error = %v, want ErrAddress", err)
	}
	if len(asked) != 0 {
		t.Errorf("the proxy was asked for %s", <-asked)
	}
}

// Where the environment's word on a proxy makes no sense, nothing is asked past
// the proxy that somebody meant.
func TestClientWithABrokenProxy(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "direct") })
	broken := errors.New("HTTP_PROXY makes no sense")
	discovery.UseProxyFunc(t, func(*http.Request) (*url.URL, error) { return nil, broken })
	if _, body, err := ask(t, discovery.Client(nil, s.URL, discovery.Policy{}), s.URL); !errors.Is(err, broken) {
		t.Errorf("body %q, error %v", body, err)
	}
}
