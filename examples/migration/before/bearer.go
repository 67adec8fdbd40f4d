package before

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// bearerCheck lets requests with a good token through.
type bearerCheck struct {
	issuer string
	keys   *keyCache
}

func (c *bearerCheck) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := bearerToken(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		claims, err := c.verify(r.Context(), token)
		if err != nil {
			http.Error(w, "invalid token: "+err.Error(), http.StatusUnauthorized)
			return
		}
		if scope := neededScope(r); scope != "" && !hasScope(claims, scope) {
			http.Error(w, "missing scope "+scope, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), claimsKey{}, claims)))
	})
}

// bearerToken takes the token from the header, or from the query for clients that
// cannot set headers.
func bearerToken(r *http.Request) (string, error) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token, nil
	}
	if token := r.URL.Query().Get("access_token"); token != "" {
		return token, nil
	}
	return "", errors.New("no bearer token")
}

// verify checks signature, times and issuer.
func (c *bearerCheck) verify(ctx context.Context, token string) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		return c.keys.key(ctx, kid)
	}, jwt.WithIssuer(c.issuer))
	return claims, err
}

// neededScope reads which tool is called, and puts the body back.
func neededScope(r *http.Request) string {
	if r.Method != http.MethodPost {
		return ""
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var message map[string]any
	if json.Unmarshal(body, &message) != nil || message["method"] != "tools/call" {
		return ""
	}
	params, _ := message["params"].(map[string]any)
	name, _ := params["name"].(string)
	return scopeOf[name]
}

func hasScope(claims jwt.MapClaims, scope string) bool {
	granted, _ := claims["scope"].(string)
	return strings.Contains(granted, scope)
}

type claimsKey struct{}

func claimsOf(ctx context.Context) jwt.MapClaims {
	claims, _ := ctx.Value(claimsKey{}).(jwt.MapClaims)
	return claims
}
