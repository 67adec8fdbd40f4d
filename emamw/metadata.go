package emamw

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/emamw/mcp-ema/internal/discovery"
)

const wellKnown = "/.well-known/oauth-protected-resource"

// metadata is the protected-resource metadata document (RFC 9728), made once.
type metadata struct {
	path string // where it belongs
	url  string // the same, as challenges name it
	body []byte
	size []string
}

// newMetadata builds the document of a validated Config.
func newMetadata(cfg *Config) *metadata {
	resource, err := url.Parse(cfg.Resource)
	if err != nil {
		panic("emamw: a validated resource does not parse: " + err.Error())
	}
	// RFC 9728 section 3.1 inserts the well-known segment between host and path;
	// a slash that only ends the host is dropped first.
	if resource.Path == "/" {
		resource.Path = ""
	}
	issuers := make([]string, 0, len(cfg.AuthorizationServers))
	for _, as := range cfg.AuthorizationServers {
		issuers = append(issuers, as.names()...)
	}
	document := struct {
		Resource      string   `json:"resource"`
		Servers       []string `json:"authorization_servers"`
		Scopes        []string `json:"scopes_supported,omitempty"`
		Methods       []string `json:"bearer_methods_supported"`
		Name          string   `json:"resource_name,omitempty"`
		Documentation string   `json:"resource_documentation,omitempty"`
	}{
		Resource: cfg.Resource, Servers: issuers, Methods: []string{"header"},
		// offline_access is between the client and the authorization server, and
		// a resource should not ask for it.
		Scopes: slices.DeleteFunc(slices.Clone(cfg.ScopesSupported), func(s string) bool { return s == "offline_access" }),
		Name:   cfg.ResourceName, Documentation: cfg.ResourceDocumentation,
	}
	body, err := json.Marshal(document)
	if err != nil {
		panic("emamw: a document of strings does not marshal: " + err.Error())
	}
	return &metadata{
		path: wellKnown + resource.Path,
		url:  resource.Scheme + "://" + resource.Host + wellKnown + resource.EscapedPath(),
		body: body,
		size: []string{strconv.Itoa(len(body))},
	}
}

// names are the issuers that a client can go to. One that serves several tenants is
// one for each of them: a client asks what it reads here for its metadata, and a
// placeholder leads it nowhere.
func (as *AuthorizationServer) names() []string {
	if !discovery.IsTemplate(as.Issuer) {
		return []string{as.Issuer}
	}
	names := make([]string, 0, len(as.Tenants))
	for _, tenant := range as.Tenants {
		names = append(names, strings.Replace(as.Issuer, discovery.TenantPlaceholder, tenant, 1))
	}
	return names
}

// at reports whether the document is served at this request path: where it
// belongs, and at the root for clients that look only there.
func (m *metadata) at(path string) bool {
	return strings.HasPrefix(path, wellKnown) && (path == m.path || path == wellKnown)
}

var (
	jsonType    = []string{"application/json"}
	anyOrigin   = []string{"*"}
	cacheHour   = []string{"public, max-age=3600"}
	readMethods = []string{"GET, HEAD, OPTIONS"}
)

// ServeHTTP answers GET, HEAD and a browser's preflight. The document is public
// and the same for everybody, so any origin may read it.
func (m *metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Access-Control-Allow-Origin"] = anyOrigin
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h["Content-Type"] = jsonType
		h["Content-Length"] = m.size
		h["Cache-Control"] = cacheHour
		if r.Method == http.MethodGet {
			_, _ = w.Write(m.body) // a client that went away misses its answer
		}
	case http.MethodOptions:
		h["Access-Control-Allow-Methods"] = readMethods
		h.Set("Access-Control-Allow-Headers", "MCP-Protocol-Version")
		h.Set("Access-Control-Max-Age", "3600")
		w.WriteHeader(http.StatusNoContent)
	default:
		h["Allow"] = readMethods
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}
