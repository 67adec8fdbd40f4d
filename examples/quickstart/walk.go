package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// walk is one client on its way, and what it has learnt so far.
type walk struct {
	world *world
	tell  *narrator
	wire  *wire
	oauth oauth

	protocol string
	mcp      *client.Client

	metadataURL   string   // where the 401 said that the metadata is
	asked         []string // the scopes that challenges have named so far
	issuer        issuerMetadata
	exchangeAt    string // the identity provider's token endpoint
	idToken       string
	idJAG         string
	first, second peeked // access tokens
	current       string // the access token in use
}

func newWalk(w *world, protocol string, out io.Writer) *walk {
	wire := &wire{base: &http.Transport{}, resource: w.resource}
	return &walk{
		world: w, tell: newNarrator(out, w), wire: wire, protocol: protocol,
		oauth: oauth{http: &http.Client{Transport: wire}},
	}
}

// step is one thing that the walk tries. It returns what to say about it, or how
// it came out otherwise than it should.
type step struct {
	title string
	take  func(context.Context) (remark string, err error)
}

func (w *walk) steps() []step {
	return []step{
		{"Knock at the MCP server without a token", w.knock},
		{"Read the protected-resource metadata (RFC 9728)", w.readResource},
		{"Read the authorization server's metadata (RFC 8414)", w.readIssuer},
		{"Sign in at the identity provider", w.signIn},
		{"Exchange the ID token for an ID-JAG (RFC 8693)", w.exchange},
		{"Redeem the ID-JAG for an access token (jwt-bearer, RFC 7523)", w.redeem},
		{"Initialize the MCP client with the token", w.initialize},
		{"List the tools", w.listTools},
		{"Call a tool that the token allows", w.greet},
		{"Call a tool that it does not allow", w.callDenied},
		{"Step up to a wider token", w.stepUp},
		{"Make the very same call again", w.callAllowed},
		{"Write one more scope into the token, and try that", w.tamper},
	}
}

// run takes the steps in order, and stops at the first that came out otherwise
// than it should.
func (w *walk) run(ctx context.Context) error {
	defer func() {
		if w.mcp != nil {
			_ = w.mcp.Close()
		}
	}()
	for i, s := range w.steps() {
		w.tell.step(s.title)
		remark, err := s.take(ctx)
		w.tell.exchanges(w.wire.take())
		if err != nil {
			return fmt.Errorf("step %d (%s): %w", i+1, s.title, err)
		}
		w.tell.remark(remark)
	}
	w.tell.line("\nEvery step came out as it should.")
	return nil
}

// connect makes a new mcp-go client and initializes it.
func (w *walk) connect(ctx context.Context) (*mcp.InitializeResult, error) {
	t, err := transport.NewStreamableHTTP(w.world.resource, transport.WithHTTPBasicClient(w.oauth.http))
	if err != nil {
		return nil, err
	}
	w.mcp = client.NewClient(t, client.WithProtocolVersion(w.protocol))
	if err := w.mcp.Start(ctx); err != nil {
		return nil, err
	}
	var request mcp.InitializeRequest
	request.Params.ClientInfo = mcp.Implementation{Name: "quickstart", Version: "0.1.0"}
	return w.mcp.Initialize(ctx, request)
}

// show tells a token, after the exchanges that it came from.
func (w *walk) show(p peeked) {
	w.tell.exchanges(w.wire.take())
	w.tell.token(p)
}

// call calls a tool and returns the text that it answers with.
func (w *walk) call(ctx context.Context, tool string, arguments map[string]any) (string, error) {
	var request mcp.CallToolRequest
	request.Params.Name = tool
	request.Params.Arguments = arguments
	result, err := w.mcp.CallTool(ctx, request)
	if err != nil {
		return "", err
	}
	if len(result.Content) != 1 || result.IsError {
		return "", fmt.Errorf("the tool %s answered with an error, or not with one text", tool)
	}
	text, ok := result.Content[0].(mcp.TextContent)
	if !ok {
		return "", fmt.Errorf("the tool %s did not answer with a text", tool)
	}
	return text.Text, nil
}
