// Package scopes says who may use a tool, a prompt or a resource, beside the
// code that registers it:
//
//	s.AddTool(mcp.NewTool("delete_file", scopes.Require("files:write")), deleteFile)
//
// A [Rule] is a condition on the verified caller. Rules are values, combined
// with [All] and [Any], and the zero Rule denies. An annotation travels in the
// item's _meta as a Go value whose JSON shows clients which scopes to ask for,
// and nothing else: the names of groups, roles and tenants stay inside. What a
// client sends back is never read as a rule.
//
// Nothing here enforces anything. The guard in package emamw evaluates the
// rules, on what mcp-go itself read from the request.
package scopes
