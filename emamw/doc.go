// Package emamw puts Enterprise-Managed Authorization on an MCP server built
// with mcp-go. Two statements adopt it:
//
//	guard, err := emamw.New(ctx, s, emamw.Config{
//		Resource:             "https://mcp.example.com/mcp",
//		AuthorizationServers: []emamw.AuthorizationServer{{Issuer: "https://auth.example.com"}},
//	})
//	// handle err
//	http.ListenAndServe(":8080", guard.Handler(server.NewStreamableHTTPServer(s)))
//
// New installs a gate inside the MCP server, and Handler puts a guard in front
// of a transport. Together they
//
//   - demand a valid access token on every request, of every method;
//   - accept it only from the configured authorization servers, for this
//     resource, and never a token of another kind;
//   - decide on each tool, prompt, resource and task by the rule beside its code
//     (package scopes), and on mcp-go's own reading of the message, so that no
//     second parser can be made to disagree with it;
//   - answer 401 and 403 with challenges that clients can act on;
//   - keep sessions, streams and tasks with the caller who opened them.
//
// What has no rule is denied, and so is everything with a rule that arrives on
// a transport without the guard.
package emamw
