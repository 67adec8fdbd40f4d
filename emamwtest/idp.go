package emamwtest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// An IdP is the identity provider of an enterprise, for tests and development.
// It signs users in without a password, and exchanges the resulting ID token for
// an ID-JAG as draft-ietf-oauth-identity-assertion-authz-grant-04 section 4.3
// says.
//
// Below its issuer it serves OpenID Connect discovery, also at the RFC 8414
// place; /jwks; /token, which knows the token exchange and nothing else; and
// /signin, which takes the form fields user and client_id and returns an
// id_token.
type IdP struct {
	*issuer

	updating sync.Mutex // held by Update, which reads cfg and writes it

	mu  sync.Mutex
	cfg IdPConfig // guarded by mu
}

// NewIdP returns an identity provider that is only an [http.Handler], for
// [HTTPClient] or a server of one's own. It panics if cfg is wrong, and names
// every mistake.
func NewIdP(cfg IdPConfig) *IdP {
	idp := &IdP{issuer: newIssuer(cfg.Issuer, cfg.Algorithms, cfg.Now)}
	idp.configure(cfg)
	idp.metadata = idp.describe
	idp.routes = map[string]http.HandlerFunc{
		"/authorize": idp.serveAuthorize,
		"/signin":    idp.serveSignIn,
		"/token":     idp.serveToken,
	}
	return idp
}

// StartIdP is [NewIdP] on a loopback port. Call Close when done.
func StartIdP(cfg IdPConfig) *IdP {
	var idp *IdP
	start(cfg.Issuer, func(id string) *issuer {
		cfg.Issuer = id
		idp = NewIdP(cfg)
		return idp.issuer
	})
	return idp
}

// Update changes the configuration while the identity provider runs: add an
// audience whose address was not known before, move a user to another group,
// remove one who left the company. What change is given is a copy, down to the
// elements of the three lists; a list within such an element is to be replaced,
// not changed in place. Issuer, Algorithms and Now stay as they were. Update
// panics as [NewIdP] does, and then nothing has changed.
func (p *IdP) Update(change func(cfg *IdPConfig)) {
	p.updating.Lock()
	defer p.updating.Unlock()
	cfg := p.config()
	change(&cfg)
	p.configure(cfg)
}

// SignIn returns an ID token for the user of this name, as a login at clientID
// would. It panics if there is no such user or client.
func (p *IdP) SignIn(user, clientID string) string {
	idToken, err := p.signIn(user, clientID)
	if err != nil {
		panic(err.Error())
	}
	return idToken
}

// Mint returns an ID-JAG without an exchange. The zero Token is for the first
// user, the first client and the first audience, with neither resource nor
// scope. If Subject is the name or the sub of a user, the ID-JAG carries that
// user's claims. It panics if the Token names no audience and none is
// configured.
func (p *IdP) Mint(t Token) string {
	return p.mint(t.Algorithm, typeIDJAG, t.Header, p.assertion(t))
}

// assertion returns the claims of an ID-JAG that was not asked for by an
// exchange.
func (p *IdP) assertion(t Token) map[string]any {
	cfg := p.config()
	if t.Audience == nil && len(cfg.Audiences) == 0 {
		panic("emamwtest: Mint needs Token.Audience, or an audience in IdPConfig.Audiences")
	}
	if t.Audience == nil {
		t.Audience = []string{cfg.Audiences[0].Issuer}
	}
	if t.ClientID == "" {
		t.ClientID = cfg.defaultClient(t.Audience)
	}
	if t.Subject == "" {
		t.Subject = cfg.defaultUser()
	}
	if user, ok := cfg.user(t.Subject); ok {
		t = user.assert(t)
	}
	if t.Lifetime == 0 {
		t.Lifetime = cfg.Lifetime
	}
	return t.claims(p.id, p.now())
}

func (p *IdP) signIn(name, clientID string) (string, error) {
	cfg := p.config()
	user, ok := cfg.user(name)
	if !ok {
		return "", fmt.Errorf("emamwtest: no user %q: add it to IdPConfig.Users", name)
	}
	if _, ok := cfg.client(clientID); !ok {
		return "", fmt.Errorf("emamwtest: no client %q: add it to IdPConfig.Clients", clientID)
	}
	now := p.now()
	claims := user.claims()
	if user.AuthTime.IsZero() {
		claims["auth_time"] = now.Unix()
	}
	override(claims, map[string]any{
		"iss": p.id,
		"sub": user.Subject,
		"aud": clientID,
		"iat": now.Unix(),
		"exp": now.Add(idTokenLifetime).Unix(),
		"jti": rand.Text(),
	})
	return p.mint("", typeIDToken, nil, claims), nil
}

const idTokenLifetime = time.Hour

func (p *IdP) config() IdPConfig {
	p.mu.Lock()
	defer p.mu.Unlock()
	cfg := p.cfg
	cfg.Users = slices.Clone(cfg.Users)
	cfg.Clients = slices.Clone(cfg.Clients)
	cfg.Audiences = slices.Clone(cfg.Audiences)
	return cfg
}

func (p *IdP) configure(cfg IdPConfig) {
	if mistakes := cfg.mistakes(); len(mistakes) > 0 {
		panic("emamwtest: " + strings.Join(mistakes, "; "))
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = defaultLifetime
	}
	cfg.Users = slices.Clone(cfg.Users)
	for i := range cfg.Users {
		if cfg.Users[i].Subject == "" {
			cfg.Users[i].Subject = cfg.Users[i].Name
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cfg = cfg
}
