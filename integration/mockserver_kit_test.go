package integration_test

import "testing"

// A mockConfig says how the oauth2-mock-server is started: see its server.mjs.
type mockConfig struct {
	Port    string         `json:"port,omitempty"`
	Slash   bool           `json:"slash"`
	Header  map[string]any `json:"header,omitempty"`
	Payload map[string]any `json:"payload,omitempty"`
}

// mockServer is a running oauth2-mock-server.
type mockServer struct{ *issuerProcess }

func startMockServer(t *testing.T, c mockConfig) *mockServer {
	t.Helper()
	return &mockServer{startIssuer(t, npmProgram(t, "oauth2-mock-server"), c, "node", "server.mjs")}
}
