package emamw_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
	"github.com/emamw/mcp-ema/emamwtest"
	"github.com/emamw/mcp-ema/revocation"
	"github.com/emamw/mcp-ema/scopes"
)

// opener opens a stream of one of the three sorts for the holder of a token.
type opener struct {
	name    string
	options []benchOption
	request func(token string, ctx context.Context) *http.Request
}

var openers = []opener{
	{"GET", []benchOption{stateless}, func(token string, ctx context.Context) *http.Request {
		return newRequest(http.MethodGet, token, "", within(ctx))
	}},
	{"subscriptions/listen", nil, func(token string, ctx context.Context) *http.Request {
		return listenRequest(token, map[string]any{"toolsListChanged": true}, within(ctx))
	}},
	{"legacy SSE", []benchOption{sse}, func(token string, ctx context.Context) *http.Request {
		r := newRequest(http.MethodGet, token, "", within(ctx))
		r.URL.Path = "/sse"
		return r
	}},
}

func sse(c *benchConfig) {
	c.transport = func(s *server.MCPServer) http.Handler { return server.NewSSEServer(s) }
}

func listenRequest(token string, notifications map[string]any, options ...requestOption) *http.Request {
	return newRequest(http.MethodPost, token, message("subscriptions/listen", map[string]any{
		"notifications": notifications,
		"_meta": map[string]any{
			mcp.MetaKeyProtocolVersion: modern, mcp.MetaKeyClientInfo: map[string]any{"name": "c", "version": "1"}, mcp.MetaKeyClientCapabilities: map[string]any{},
		},
	}), append([]requestOption{header("Mcp-Protocol-Version", modern), header("Mcp-Method", "subscriptions/listen")}, options...)...)
}

// A stream ends with the token that opened it, give or take the clock skew.
func TestStreamsEndWithTheirToken(t *testing.T) {
	for _, o := range openers {
		t.Run(o.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, o.options...)
				ended := make(chan time.Duration, 1)
				begin := time.Now()
				token := b.as.Mint(emamwtest.Token{Lifetime: 10 * time.Minute})
				go func() {
					b.handler.ServeHTTP(&reading{header: http.Header{}}, o.request(token, t.Context()))
					ended <- time.Since(begin)
				}()
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				select {
				case after := <-ended:
					t.Fatalf("ended after %v, before its token", after)
				default:
				}
				time.Sleep(31 * time.Second)
				synctest.Wait()
				select {
				case <-ended:
				default:
					t.Error("the stream outlives its token")
				}
			})
		})
	}
}

// A revocation ends the open streams of whom it names, and of nobody else.
func TestStreamsEndOnRevocation(t *testing.T) {
	for _, o := range openers {
		t.Run(o.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, o.options...)
				ended := map[string]bool{}
				done := make(chan string, 2)
				ctx, cancel := context.WithCancel(t.Context())
				for _, user := range []string{"alice", "bob"} {
					token := b.as.Mint(emamwtest.Token{Subject: user, Lifetime: time.Hour})
					go func() {
						b.handler.ServeHTTP(&reading{header: http.Header{}}, o.request(token, ctx))
						done <- user
					}()
				}
				synctest.Wait()
				if err := b.guard.Revoke(t.Context(), revocation.Revocation{Issuer: issuer, Subject: "alice"}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				for len(done) > 0 {
					ended[<-done] = true
				}
				if !ended["alice"] || ended["bob"] {
					t.Errorf("ended: %v, want alice's only", ended)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

// A revocation takes effect with the next request, also for a token whose
// verification is remembered; a new token of the same person works.
func TestRevocation(t *testing.T) {
	const provider = "https://idp.example"
	born := map[string]any{"idp": provider, "idp_sub": "00u1", "assertion": "hash"}
	tests := []struct {
		name    string
		revoke  revocation.Revocation
		revoked bool
	}{
		{"the subject", revocation.Revocation{Issuer: issuer, Subject: "alice"}, true},
		{"the client", revocation.Revocation{Issuer: issuer, ClientID: "mcp-client"}, true},
		{"the token", revocation.Revocation{Issuer: issuer, TokenID: "t1"}, true},
		{"another subject", revocation.Revocation{Issuer: issuer, Subject: "bob"}, false},
		{"another issuer's subject", revocation.Revocation{Issuer: "https://other.example", Subject: "alice"}, false},
		{"another tenant's subject", revocation.Revocation{Issuer: issuer, Tenant: "acme", Subject: "alice"}, false},
		{"another token", revocation.Revocation{Issuer: issuer, TokenID: "t2"}, false},
		{"the identity provider's user", revocation.Revocation{Issuer: provider, Subject: "00u1"}, true},
		{"the provider's user in this tenant", revocation.Revocation{Issuer: provider, Tenant: "blue", Subject: "00u1"}, true},
		{"the provider's user in another tenant", revocation.Revocation{Issuer: provider, Tenant: "acme", Subject: "00u1"}, false},
		{"the provider's other user", revocation.Revocation{Issuer: provider, Subject: "alice"}, false},
		{"the provider's client of that name", revocation.Revocation{Issuer: provider, ClientID: "mcp-client"}, false},
		{"another provider's user", revocation.Revocation{Issuer: provider + "/", Subject: "00u1"}, false},
		{"the ID-JAG", revocation.Revocation{Issuer: provider, TokenID: "hash"}, true},
		{"another ID-JAG", revocation.Revocation{Issuer: provider, TokenID: "t1"}, false},
	}
	for _, tt := range tests {
		for _, cached := range []int{0, -1} {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, with(func(c *emamw.Config) { c.TokenCacheEntries = cached }))
				token := b.as.Mint(emamwtest.Token{ID: "t1", Tenant: "blue", Claims: born})
				if _, err := b.guard.Verify(t.Context(), token); err != nil {
					t.Fatal(err)
				}
				if err := b.guard.Revoke(t.Context(), tt.revoke); err != nil {
					t.Fatal(err)
				}
				_, err := b.guard.Verify(t.Context(), token)
				if (err != nil) != tt.revoked {
					t.Errorf("%s: got %v", tt.name, err)
				}
				if tt.revoked {
					b.wantAnswer(b.post(token, "{}"), 401, `Bearer error="invalid_token", `+whereToAsk)
				}
				time.Sleep(time.Second)
				if _, err := b.guard.Verify(t.Context(), b.as.Mint(emamwtest.Token{ID: "t3"})); err != nil {
					t.Errorf("%s: a token issued afterwards: %v", tt.name, err)
				}
			})
		}
	}
}

// A token counts as old as the ID-JAG that it was redeemed for, where that is
// older: its authorization server may have issued it a moment after a revocation
// that it had not heard of.
func TestRevocationCountsFromTheAssertion(t *testing.T) {
	for _, tt := range []struct {
		name     string
		asserted time.Duration // seen from the revocation
		issued   time.Duration
		revoked  bool
	}{
		{"both before", -2 * time.Second, -time.Second, true},
		{"redeemed afterwards", -time.Second, 2 * time.Second, true},
		{"in the same second", 0, 2 * time.Second, true},
		{"signed in again", time.Second, 2 * time.Second, false},
		{"the ID-JAG is no excuse for an older token", time.Second, -time.Second, true},
	} {
		for _, r := range []revocation.Revocation{
			{Issuer: issuer, Subject: "alice"}, {Issuer: issuer, ClientID: "mcp-client"}, {Issuer: "https://idp.example", Subject: "00u1"},
		} {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				now := time.Now()
				if err := b.guard.Revoke(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				_, err := b.guard.Verify(t.Context(), b.as.Mint(emamwtest.Token{IssuedAt: now.Add(tt.issued), Claims: map[string]any{
					"idp": "https://idp.example", "idp_sub": "00u1", "assertion_iat": now.Add(tt.asserted).Unix(),
				}}))
				if (err != nil) != tt.revoked {
					t.Errorf("%s, revoked by %+v: %v", tt.name, r, err)
				}
			})
		}
	}
}

// A revocation outlives the ID-JAGs from before it, and not only the tokens: an
// issuer whose tokens live for minutes may redeem one that lives for an hour.
func TestRevocationOutlivesTheAssertion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, with(func(cfg *emamw.Config) { cfg.AuthorizationServers[0].MaxAge = 5 * time.Minute }))
		now := time.Now()
		if err := b.guard.Revoke(t.Context(), revocation.Revocation{Issuer: "https://idp.example", Subject: "00u1"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		_, err := b.guard.Verify(t.Context(), b.as.Mint(emamwtest.Token{Claims: map[string]any{
			"idp": "https://idp.example", "idp_sub": "00u1", "assertion_iat": now.Unix(),
		}}))
		if reasonOf(t, err) != claims.TokenRevoked {
			t.Errorf("redeemed for an ID-JAG that is older than the revocation: %v", err)
		}
	})
}

// A refused listen request ends at once, although mcp-go would wait for the
// client to leave, and subscribes to nothing.
func TestListenIsGated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, before(furnish))
		a := b.do(listenRequest(b.token(), map[string]any{"resourceSubscriptions": []string{"file:///fixed"}}))
		b.wantAnswer(a, 403, challengeFor("fixed"))

		// Several are one operation, with one challenge for all of them.
		several := map[string]any{"resourceSubscriptions": []string{"file:///fixed", "file:///a.txt", "file:///secret.txt"}}
		for _, held := range []string{"", "fixed", "text", "secrets fixed"} {
			b.wantAnswer(b.do(listenRequest(b.token(strings.Fields(held)...), several)), 403, challengeFor("fixed text secrets"))
		}
		// One that no scope opens closes all of them.
		b.wantAnswer(b.do(listenRequest(b.token("fixed"), map[string]any{"resourceSubscriptions": []string{"file:///fixed", "file:///bare"}})), 403, "")

		// A listen whose header does not say so would have no end.
		r := listenRequest(b.token("fixed"), map[string]any{"resourceSubscriptions": []string{"file:///fixed"}})
		r.Header.Del("Mcp-Method")
		if a := b.do(r); a.Code != http.StatusBadRequest {
			t.Errorf("without its header: %d", a.Code)
		}

		stream := openStream(b.handler, listenRequest(b.token("fixed"), map[string]any{"resourceSubscriptions": []string{"file:///fixed"}}, within(t.Context())))
		synctest.Wait()
		if !strings.Contains(stream.String(), "file:///fixed") {
			t.Errorf("with its scope: %q", stream.String())
		}
		b.guard.Revoke(t.Context(), revocation.Revocation{Issuer: issuer, Subject: "alice"})
		synctest.Wait()
	})
}

// Without the base scopes nothing is listened to. Where resources are named, the
// challenge names what they need as well.
func TestListenWithoutTheBaseScopes(t *testing.T) {
	fixed := map[string]any{"resourceSubscriptions": []string{"file:///fixed"}}
	for _, tt := range []struct {
		name   string
		hide   bool
		asked  map[string]any
		held   []string
		wanted string // of the challenge
	}{
		{"a resource", false, fixed, nil, "base fixed"},
		{"a resource whose scope is held", false, fixed, []string{"fixed"}, "base fixed"},
		{"lists", false, map[string]any{"toolsListChanged": true}, nil, "base"},
		{"a hidden resource", true, fixed, nil, "base"},
		{"hidden, and its scope is held", true, fixed, []string{"fixed"}, "base"},
		{"lists, where some are hidden", true, map[string]any{"toolsListChanged": true}, nil, "base"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // a stream that goes on would keep it from ending
				records := &logs{}
				b := newBench(t, before(furnish), with(func(c *emamw.Config) {
					c.BaseScopes, c.HideDenied, c.Audit = []string{"base"}, tt.hide, slog.NewJSONHandler(records, nil)
				}))
				b.wantAnswer(b.do(listenRequest(b.token(tt.held...), tt.asked)), 403, challengeFor(tt.wanted))
				denied := 0
				for _, record := range records.take(t) {
					if record["mcp.method.name"] == "subscriptions/listen" && record["ema.decision"] == "deny" {
						denied++
					}
				}
				if denied != 1 {
					t.Errorf("%d refusals are on record, want one", denied)
				}
				r := listenRequest(b.token(tt.held...), tt.asked)
				r.Header.Del("Mcp-Method")
				b.wantAnswer(b.do(r), 403, challengeFor("base"))
			})
		})
	}
}

// What a rule for services opens to a service stays that resource's, also where one
// request names several.
func TestListenOfAService(t *testing.T) {
	b := newBench(t, before(func(b *bench) {
		b.mcp.AddResource(mcp.NewResource("file:///jobs", "jobs", scopes.ForResource(scopes.Service())), b.reader)
		b.mcp.AddResource(mcp.NewResource("file:///people", "people", scopes.ForResource(scopes.Scope("people"))), b.reader)
	}))
	for _, held := range [][]string{nil, {"people"}} {
		robot := b.as.Mint(emamwtest.Token{Subject: "robot", ClientID: "robot", Scopes: held})
		for _, uris := range [][]string{{"file:///people"}, {"file:///people", "file:///jobs"}, {"file:///jobs", "file:///people"}} {
			b.wantAnswer(b.do(listenRequest(robot, map[string]any{"resourceSubscriptions": uris})), 403, "")
		}
	}
}

// Of very many resources those that were refused first say enough, and one that no
// scope opens says all: an attacker would else have each looked up and recorded.
func TestListenToVeryMany(t *testing.T) {
	records := &logs{}
	b := newBench(t, before(furnish), with(func(c *emamw.Config) { c.Audit = slog.NewJSONHandler(records, nil) }))
	for _, tt := range []struct {
		name      string
		uri       string // with a number in it
		held      string
		challenge string
		decisions int
	}{
		{"refused for a scope", "file:///%d.txt", "", challengeFor("text"), 64},
		{"refused for good", "other:///%d", "", "", 1},
		{"allowed, but for the last", "file:///%d.txt", "text", challengeFor("text fixed"), 101},
	} {
		uris := make([]string, 100)
		for i := range uris {
			uris[i] = fmt.Sprintf(tt.uri, i)
		}
		records.take(t)
		b.wantAnswer(b.do(listenRequest(b.token(tt.held), map[string]any{"resourceSubscriptions": append(uris, "file:///fixed")})), 403, tt.challenge)
		decisions := 0
		for _, record := range records.take(t) {
			if record["mcp.method.name"] == "subscriptions/listen" {
				decisions++
			}
		}
		if decisions != tt.decisions {
			t.Errorf("%s: %d decisions, want %d", tt.name, decisions, tt.decisions)
		}
	}
}

// A rule that says no and then yes, when the resources are decided on together, is
// held to its no.
func TestListenIsNotTalkedIntoYes(t *testing.T) {
	asked := 0
	b := newBench(t, before(func(b *bench) {
		b.mcp.AddResource(mcp.NewResource("file:///fickle", "fickle", scopes.ForResource(scopes.When(func(map[string]any) scopes.Rule {
			if asked++; asked == 1 {
				return scopes.Scope("fickle")
			}
			return scopes.Authenticated()
		}))), b.reader)
	}))
	asked = 0 // an annotation is asked once for what clients are shown
	b.wantAnswer(b.do(listenRequest(b.token(), map[string]any{"resourceSubscriptions": []string{"file:///fickle"}})), 403, "")
}

// With HideDenied a listen request quietly leaves out what the caller may not
// see, whether it exists or not.
func TestListenHides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, before(furnish), with(func(c *emamw.Config) { c.HideDenied = true }))
		stream := openStream(b.handler, listenRequest(b.token("text"), map[string]any{
			"resourceSubscriptions": []string{"file:///fixed", "file:///a.txt", "other:///none"},
		}, within(t.Context())))
		synctest.Wait()
		if text := stream.String(); !strings.Contains(text, "a.txt") || strings.Contains(text, "fixed") || strings.Contains(text, "none") {
			t.Errorf("acknowledged %q", text)
		}
		b.guard.Revoke(t.Context(), revocation.Revocation{Issuer: issuer, Subject: "alice"})
		synctest.Wait()
	})
}
