package soak_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
)

// answer is what a handler says to a request.
func answer(h http.Handler, r *http.Request) []byte {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.Bytes()
}

// liesAbout returns every lie about the keys of an issuer that must not change
// what its verifiers do. The stranger has keys of its own, and signs with them;
// elsewhere is where they can be had.
func liesAbout(stranger http.Handler, elsewhere string) []lie {
	theirs := func(r *http.Request) []map[string]any { return members(answer(stranger, r)) }
	return []lie{
		says(http.StatusOK, "application/json", "{}"),
		says(http.StatusOK, "application/json", `{"keys":[]}`),
		says(http.StatusOK, "text/html", "<!DOCTYPE html><title>Sign in to the network</title>"),
		says(http.StatusServiceUnavailable, "text/plain", "down"),
		func(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, elsewhere+"/jwks", http.StatusFound)
		},
		func(w http.ResponseWriter, _ *http.Request, _ []byte) { // without end
			for padding := make([]byte, 64<<10); ; {
				if _, err := w.Write(padding); err != nil {
					return
				}
			}
		},
		// Each kid twice, once with a key of the stranger's.
		func(w http.ResponseWriter, r *http.Request, honest []byte) {
			both := members(honest)
			for _, own := range members(honest) {
				twin := maps.Clone(theirs(r)[0])
				twin["kid"] = own["kid"]
				both = append(both, twin)
			}
			writeKeys(w, both)
		},
		// The good keys, among others that must not be taken for the issuer's.
		func(w http.ResponseWriter, r *http.Request, honest []byte) {
			foreign := maps.Clone(theirs(r)[0])
			foreign["issuer"] = elsewhere
			writeKeys(w, append(members(honest), foreign, nil, map[string]any{"kty": "oct", "kid": symmetricID, "alg": "HS256", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"}))
		},
	}
}

func says(status int, contentType, body string) lie {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func members(set []byte) []map[string]any {
	var s struct{ Keys []map[string]any }
	_ = json.Unmarshal(set, &s) // an issuer that writes no JSON has no keys
	return s.Keys
}

func writeKeys(w http.ResponseWriter, keys []map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(map[string]any{"keys": keys}); err != nil {
		panic(http.ErrAbortHandler) // whoever asked has left
	}
}
