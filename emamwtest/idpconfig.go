package emamwtest

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// IdPConfig configures an [IdP].
type IdPConfig struct {
	// Issuer is the issuer identifier, byte for byte. With [StartIdP] it is a
	// path or empty, and the loopback address is put before it.
	Issuer string

	Users     []User     // who can sign in
	Clients   []Client   // which clients they can sign in with
	Audiences []Audience // which authorization servers an ID-JAG can be for

	// Lifetime is that of an ID-JAG. Default: 5 minutes.
	Lifetime time.Duration

	// Algorithms are the signature algorithms: each has its own key, and the
	// first is used. Default: ES256.
	Algorithms []string

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// A User is an account at the identity provider. Its fields become claims of
// the ID-JAG, so a resource authorization server can act on them. A zero field
// writes no claim.
type User struct {
	Name    string // what [IdP.SignIn] takes, such as "alice"
	Subject string // sub; default: Name
	Email   string
	Tenant  string

	Groups []string // nil writes no claim; empty and not nil says that there are none
	Roles  []string // as Groups

	// Scopes are what policy lets this user have, at any audience. Nil is no
	// limit; empty and not nil lets the user have none, so every exchange that
	// asks for scopes is refused.
	Scopes []string

	AuthContext string    // acr, how the user signed in
	AuthMethods []string  // amr
	AuthTime    time.Time // auth_time; default: when the user signed in

	Claims map[string]any // further claims of the ID-JAG, over all others
}

// A Client is registered at the identity provider. Without a secret it is a
// public client, which only says who it is.
type Client struct {
	ID     string
	Secret string
}

// An Audience is an authorization server that the enterprise lets its users
// reach.
type Audience struct {
	Issuer string // what a client sends as audience, and aud of the ID-JAG

	// Resources are the identifiers of the MCP servers behind it. Empty allows
	// any.
	Resources []string

	// Scopes are what policy grants here, and what a client gets that asks for
	// none. Nil is no limit.
	Scopes []string

	// ClientIDs are the clients that may ask, by their id at the identity
	// provider, each with its id at this authorization server: the two are
	// separate registrations. Nil allows every client, under the same id.
	ClientIDs map[string]string

	// MaxAge is how long ago a user may have signed in. Beyond it the exchange
	// is refused with insufficient_user_authentication (RFC 9470). Zero is no
	// limit.
	MaxAge time.Duration
}

// claims are what the ID token and the ID-JAG say about the user beside sub.
func (u User) claims() map[string]any {
	c := map[string]any{}
	if u.Email != "" {
		c["email"] = u.Email
		c["email_verified"] = true
	}
	if u.AuthContext != "" {
		c["acr"] = u.AuthContext
	}
	if u.AuthMethods != nil {
		c["amr"] = u.AuthMethods
	}
	if !u.AuthTime.IsZero() {
		c["auth_time"] = u.AuthTime.Unix()
	}
	return c
}

// assert returns t with what an ID-JAG says about the user (section 3.1 of the
// draft), except for what t already says.
func (u User) assert(t Token) Token {
	t.Subject = u.Subject
	if t.Groups == nil {
		t.Groups = u.Groups
	}
	if t.Roles == nil {
		t.Roles = u.Roles
	}
	if t.Tenant == "" {
		t.Tenant = u.Tenant
	}
	c := u.claims()
	maps.Copy(c, u.Claims)
	maps.Copy(c, t.Claims)
	t.Claims = c
	return t
}

func (cfg IdPConfig) mistakes() []string {
	var all []string
	seen := map[string]bool{}
	check := func(list string, i int, field, value string) {
		at := list + "[" + strconv.Itoa(i) + "]." + field
		switch {
		case value == "":
			all = append(all, at+" must not be empty")
		case seen[list+field+value]:
			all = append(all, at+" "+strconv.Quote(value)+" is there twice")
		}
		seen[list+field+value] = true
	}
	for i, u := range cfg.Users {
		check("Users", i, "Name", u.Name)
		if u.Subject != "" {
			check("Users", i, "Subject", u.Subject)
		}
	}
	for i, c := range cfg.Clients {
		check("Clients", i, "ID", c.ID)
	}
	for i, a := range cfg.Audiences {
		check("Audiences", i, "Issuer", a.Issuer)
	}
	return all
}

// user finds a user by name, and failing that by sub.
func (cfg IdPConfig) user(name string) (User, bool) {
	if u, ok := find(cfg.Users, func(u User) bool { return u.Name == name }); ok {
		return u, true
	}
	return cfg.subject(name)
}

func (cfg IdPConfig) subject(sub string) (User, bool) {
	return find(cfg.Users, func(u User) bool { return u.Subject == sub })
}

func (cfg IdPConfig) client(id string) (Client, bool) {
	return find(cfg.Clients, func(c Client) bool { return c.ID == id })
}

func (cfg IdPConfig) audience(issuer string) (Audience, bool) {
	return find(cfg.Audiences, func(a Audience) bool { return a.Issuer == issuer })
}

func find[T any](list []T, match func(T) bool) (T, bool) {
	i := slices.IndexFunc(list, match)
	if i < 0 {
		var none T
		return none, false
	}
	return list[i], true
}

func (cfg IdPConfig) defaultUser() string {
	if len(cfg.Users) == 0 {
		return "alice"
	}
	return cfg.Users[0].Name
}

// defaultClient is the first client, by its id at the audience.
func (cfg IdPConfig) defaultClient(audience []string) string {
	if len(cfg.Clients) == 0 {
		return "mcp-client"
	}
	id := cfg.Clients[0].ID
	for _, issuer := range audience {
		if a, ok := cfg.audience(issuer); ok && a.ClientIDs[id] != "" {
			return a.ClientIDs[id]
		}
	}
	return id
}

// clientID translates a client's id at the identity provider into its id at
// the audience, and reports whether the client may ask for it at all.
func (a Audience) clientID(id string) (string, bool) {
	if a.ClientIDs == nil {
		return id, true
	}
	there, ok := a.ClientIDs[id]
	return there, ok
}
