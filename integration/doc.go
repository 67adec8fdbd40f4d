// Package integration tests the library against programs that were not written
// for it: the MCP clients of the official Go and TypeScript SDKs with their own
// implementations of Enterprise-Managed Authorization, mcp-go's client over real
// connections, the access tokens of authorization servers as they issue them, and
// this project's example programs as processes.
//
// It is a module of its own, so that none of their dependencies reach the
// library's users.
package integration
