package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	"github.com/golang-jwt/jwt/v5"
	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/emamw/mcp-ema/claims"
	"github.com/emamw/mcp-ema/emamw"
)

// verify returns an op that verifies a good token with our guard.
func verify(name string, g *emamw.Guard, token string) *op {
	return &op{name: name, do: func() {
		p, err := g.Verify(context.Background(), token)
		must(err)
		if len(p.Groups.Names) != 20 || len(p.Scopes) != 2 {
			panic("bench: not all was read from the token")
		}
	}}
}

// refuse returns an op that has our guard refuse a token for a reason.
func refuse(name string, g *emamw.Guard, token string, reason claims.Reason) *op {
	want := "emamw: token refused: " + string(reason)
	return &op{name: name, do: func() {
		if _, err := g.Verify(context.Background(), token); err == nil || err.Error() != want {
			panic(fmt.Sprintf("bench: %v, want %s", err, want))
		}
	}}
}

// accessClaims are what the peers are asked to read: the same as ours read.
type accessClaims struct {
	jwt.RegisteredClaims
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope"`
	Groups   []string `json:"groups"`
	Email    string   `json:"email"`
}

// Validate makes accessClaims the custom claims of auth0's validator.
func (c *accessClaims) Validate(context.Context) error { return nil }

// golangJWT verifies with golang-jwt and keyfunc, set up as strictly as they
// offer.
func golangJWT(f *fixture) func(token string) *accessClaims {
	keys, err := keyfunc.NewJWKSetJSON(f.jwks)
	must(err)
	parser := jwt.NewParser(jwt.WithValidMethods(algorithms), jwt.WithIssuer(issuer), jwt.WithAudience(resource),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding())
	return func(token string) *accessClaims {
		c := &accessClaims{}
		_, err := parser.ParseWithClaims(token, c, keys.Keyfunc)
		must(err)
		return c
	}
}

func golangJWTOp(f *fixture, alg string) *op {
	parse, token := golangJWT(f), f.tokens[alg]
	return &op{name: "golang-jwt + keyfunc " + alg, do: func() {
		if c := parse(token); len(c.Groups) != 20 {
			panic("bench: not all was read from the token")
		}
	}}
}

// goSDK is the bearer middleware of the official SDK around the unguarded
// server, with golang-jwt and keyfunc as its verifier. It has no rules per tool.
func goSDK(f *fixture) http.Handler {
	parse := golangJWT(f)
	verifier := func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		c := parse(token)
		return &auth.TokenInfo{
			Scopes: strings.Fields(c.Scope), Expiration: c.ExpiresAt.Time, UserID: c.Subject, Extra: map[string]any{"claims": c},
		}, nil
	}
	return auth.RequireBearerToken(verifier, &auth.RequireBearerTokenOptions{
		ResourceMetadataURL: "https://mcp.example.com/.well-known/oauth-protected-resource/mcp", Scopes: []string{"files:read"},
	})(f.bare)
}

// auth0 is the validator of go-jwt-middleware, given the one right key.
func auth0(f *fixture, alg string) *validator.Validator {
	key := f.keys[alg].Key
	v, err := validator.New(
		validator.WithKeyFunc(func(context.Context) (any, error) { return key, nil }),
		validator.WithAlgorithm(validator.SignatureAlgorithm(alg)),
		validator.WithIssuer(issuer),
		validator.WithAudience(resource),
		validator.WithAllowedClockSkew(30*time.Second),
		validator.WithCustomClaims(func() *accessClaims { return &accessClaims{} }),
	)
	must(err)
	return v
}

func auth0Op(f *fixture, alg string) *op {
	v, token := auth0(f, alg), f.tokens[alg]
	return &op{name: "auth0 validator " + alg, do: func() {
		validated, err := v.ValidateToken(context.Background(), token)
		must(err)
		c, ok := validated.(*validator.ValidatedClaims).CustomClaims.(*accessClaims)
		if !ok || len(c.Groups) != 20 {
			panic("bench: not all was read from the token")
		}
	}}
}

// auth0Middleware is go-jwt-middleware around the unguarded server.
func auth0Middleware(f *fixture, alg string) http.Handler {
	m, err := jwtmiddleware.New(jwtmiddleware.WithValidator(auth0(f, alg)))
	must(err)
	return m.CheckJWT(f.bare)
}
