package idjag

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/emamw/mcp-ema/claims"
)

// The client authentication methods, by their registered names.
const (
	methodBasic  = "client_secret_basic"
	methodPost   = "client_secret_post"
	methodJWT    = "private_key_jwt"
	methodPublic = "none"
)

// noSuchSecret does not tell an unknown client from a wrong secret, as what comes
// before it takes care not to.
const noSuchSecret = "no client has this id and secret: compare both with Clients, where SecretHashes holds what HashSecret returns"

const clientAssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// A caller is an authenticated client, and how it showed who it is.
type caller struct {
	*client
	method string
	proof  proof
}

// A proof is a client assertion that was right and has not been used up yet.
// The zero proof is of a client that sent none, or none with a jti.
type proof struct {
	key     string
	expires time.Time
}

// authenticate finds out which client sent a request (RFC 6749 section 2.3). A
// request with credentials of two kinds is refused, not tried with the better
// one: whoever reads the logs later could not say which client it was.
func (s *Server) authenticate(ctx context.Context, r *http.Request, f form) (*caller, error) {
	headers := r.Header["Authorization"]
	inHeader, inForm, signed := len(headers) > 0, f.value("client_secret") != "",
		f.value("client_assertion") != "" || f.value("client_assertion_type") != ""
	switch {
	case len(headers) > 1, inHeader && inForm, inHeader && signed, inForm && signed:
		return nil, &refusal{reason: claims.MultipleCredentials, code: invalidRequest, description: "Use one way of client authentication."}
	case inHeader:
		return s.basicClient(headers[0], f)
	case signed:
		return s.assertedClient(ctx, f)
	case inForm:
		return s.postedClient(f)
	}
	return s.publicClient(ctx, f)
}

// basicClient is client_secret_basic. A client_id in the form, which some
// clients add, must be the same.
func (s *Server) basicClient(header string, f form) (*caller, error) {
	failed := unproven(noSuchSecret)
	failed.scheme = true
	readings, ok := readBasic(header)
	if !ok {
		return nil, failed
	}
	c := checkSecret(s.registered, readings)
	if c == nil {
		return nil, failed
	}
	if id := f.value("client_id"); id != "" && id != c.id {
		return nil, malformedRequest("client_id differs from the client in the Authorization header.")
	}
	return &caller{client: c, method: methodBasic}, nil
}

// postedClient is client_secret_post.
func (s *Server) postedClient(f form) (*caller, error) {
	id := f.value("client_id")
	if id == "" {
		return nil, malformedRequest("client_id is missing.")
	}
	c := checkSecret(s.registered, []credential{{id: id, secret: f.value("client_secret")}})
	if c == nil {
		return nil, unproven(noSuchSecret)
	}
	return &caller{client: c, method: methodPost}, nil
}

// publicClient is a client without credentials. It gets in only where it was
// registered so, or its document says so and such documents are admitted.
func (s *Server) publicClient(ctx context.Context, f form) (*caller, error) {
	id := f.value("client_id")
	if id == "" {
		return nil, &refusal{
			reason: claims.ClientUnauthenticated, code: invalidClient,
			description: "No client authentication. Use client_secret_basic, client_secret_post or private_key_jwt.",
		}
	}
	c, err := s.lookup(ctx, id)
	if err != nil {
		return nil, err
	}
	if c == nil || !c.public {
		return nil, unproven("a client_id without a proof: register the client, or let it use the secret or key that it is registered with")
	}
	return &caller{client: c, method: methodPublic}, nil
}

// registered returns a client of the configuration, or nil.
func (s *Server) registered(id string) *client { return s.clients[id] }

// lookup returns the client that id names, and nil when there is none. Its
// error means that this could not be found out.
func (s *Server) lookup(ctx context.Context, id string) (*client, error) {
	if c := s.registered(id); c != nil {
		return c, nil
	}
	if !s.documents.admits(id) {
		return nil, nil
	}
	return s.documents.client(ctx, id)
}

// consumeProof uses a client assertion up. One that has expired since it was
// checked proves nothing any more: it may be new only because it was forgotten.
func (s *Server) consumeProof(ctx context.Context, p proof) error {
	if p.key == "" {
		return nil
	}
	fresh, err := s.replay.Consume(ctx, p.key, s.forgetAt(p.expires))
	if err != nil {
		return outage(ctx, "Replay", err)
	}
	if !fresh || s.expired(p.expires) {
		return unproven("client assertion: it was used before, or ran out while the request waited: let the client make one for each request, with a jti of its own")
	}
	return nil
}

// authMethods lists what the clients of this server may use, for the metadata.
func (s *Server) authMethods() []string {
	methods := []string{methodBasic, methodPost, methodJWT}
	public := s.documents != nil && s.documents.public
	for _, c := range s.clients {
		if c.public {
			public = true
		}
	}
	if public {
		methods = append(methods, methodPublic)
	}
	return slices.Clip(methods)
}
