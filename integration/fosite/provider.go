package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"
	"golang.org/x/crypto/bcrypt"
)

// A provider is an issuer whose every person has agreed to everything.
type provider struct {
	config *config
	issuer string
	key    jose.JSONWebKey
	oauth  fosite.OAuth2Provider
}

func newProvider(c *config, issuer string) (*provider, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	// The id is new with each key. use stays away, as go-jose leaves it.
	p := &provider{config: c, issuer: issuer, key: jose.JSONWebKey{Key: private, Algorithm: string(jose.RS256)}}
	if !c.NoKeyID {
		p.key.KeyID = rand.Text()
	}
	secret, err := bcrypt.GenerateFromPassword([]byte(c.Client.Secret), bcrypt.MinCost)
	if err != nil {
		return nil, err
	}
	store := storage.NewMemoryStore()
	store.Clients[c.Client.ID] = &fosite.DefaultClient{
		ID:            c.Client.ID,
		Secret:        secret,
		RedirectURIs:  []string{c.Client.Redirect},
		ResponseTypes: []string{"code"},
		GrantTypes:    []string{"authorization_code", "client_credentials"},
		Scopes:        []string{"openid", "files:read", "files:write"},
		Audience:      c.Audiences,
	}
	p.oauth = p.compose(store)
	return p, nil
}

func (p *provider) compose(store *storage.MemoryStore) fosite.OAuth2Provider {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	cfg := &fosite.Config{
		GlobalSecret:             secret,
		AccessTokenIssuer:        p.issuer,
		IDTokenIssuer:            p.issuer,
		AccessTokenLifespan:      time.Duration(p.config.Seconds) * time.Second,
		EnforcePKCE:              true,
		AudienceMatchingStrategy: fosite.ExactAudienceMatchingStrategy,
		ScopeStrategy:            fosite.ExactScopeStrategy,
		JWTScopeClaimKey: map[string]jwt.JWTScopeFieldEnum{
			"list": jwt.JWTScopeFieldList, "string": jwt.JWTScopeFieldString, "both": jwt.JWTScopeFieldBoth,
		}[p.config.Scopes],
	}
	if p.config.NoIssuer {
		cfg.AccessTokenIssuer = ""
	}
	key := func(context.Context) (any, error) {
		if p.config.NoKeyID {
			return p.key.Key, nil
		}
		return &p.key, nil
	}
	return compose.Compose(cfg, store,
		&compose.CommonStrategy{
			CoreStrategy:               compose.NewOAuth2JWTStrategy(key, compose.NewOAuth2HMACStrategy(cfg), cfg),
			OpenIDConnectTokenStrategy: compose.NewOpenIDConnectStrategy(key, cfg),
			Signer:                     &jwt.DefaultSigner{GetPrivateKey: key},
		},
		compose.OAuth2AuthorizeExplicitFactory,
		compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2PKCEFactory,
		compose.OpenIDConnectExplicitFactory,
	)
}

func (p *provider) handler() http.Handler {
	mux := http.NewServeMux()
	paths := p.config.Metadata
	if len(paths) == 0 {
		paths = []string{"/.well-known/oauth-authorization-server" + p.config.Path}
	}
	for _, path := range paths {
		mux.HandleFunc("GET "+path, p.metadata)
	}
	mux.HandleFunc("GET /jwks", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	return mux
}

// metadata is written here because fosite serves none.
func (p *provider) metadata(w http.ResponseWriter, r *http.Request) {
	origin := "http://" + r.Host
	answer(w, map[string]any{
		"issuer":                           p.issuer,
		"jwks_uri":                         origin + "/jwks",
		"authorization_endpoint":           origin + "/authorize",
		"token_endpoint":                   origin + "/token",
		"response_types_supported":         []string{"code"},
		"code_challenge_methods_supported": []string{"S256"},
	})
}

func (p *provider) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.key.Public()}})
}

func answer(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(document); err != nil {
		http.Error(w, "the document cannot be written", http.StatusInternalServerError)
	}
}

func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := p.oauth.NewAuthorizeRequest(ctx, r)
	if err != nil {
		p.oauth.WriteAuthorizeError(ctx, w, request, err)
		return
	}
	grantAll(request)
	response, err := p.oauth.NewAuthorizeResponse(ctx, request, p.session(r.FormValue("login_hint")))
	if err != nil {
		p.oauth.WriteAuthorizeError(ctx, w, request, err)
		return
	}
	p.oauth.WriteAuthorizeResponse(ctx, w, request, response)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	// Where the grant has a session, as a code has, it takes the place of this one.
	request, err := p.oauth.NewAccessRequest(ctx, r, p.session(""))
	if err != nil {
		p.oauth.WriteAccessError(ctx, w, request, err)
		return
	}
	if request.GetGrantTypes().ExactOne("client_credentials") {
		grantAll(request)
		request.GetSession().(*session).is(request.GetClient().GetID())
	}
	response, err := p.oauth.NewAccessResponse(ctx, request)
	if err != nil {
		p.oauth.WriteAccessError(ctx, w, request, err)
		return
	}
	p.oauth.WriteAccessResponse(ctx, w, request, response)
}

func grantAll(request fosite.Requester) {
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	for _, audience := range request.GetRequestedAudience() {
		request.GrantAudience(audience)
	}
}
