// Package idjag is a resource authorization server: it redeems the ID-JAGs of an
// enterprise's identity provider for access tokens to MCP servers. It is for
// teams whose own authorization server does not know this grant, and is mounted
// beside the MCP server, or runs by itself.
//
// The exchange is that of Enterprise-Managed Authorization for MCP and of
// draft-ietf-oauth-identity-assertion-authz-grant: a client posts the ID-JAG to
// the token endpoint with the grant type
// urn:ietf:params:oauth:grant-type:jwt-bearer (RFC 7523) and gets an RFC 9068
// access token that package emamw verifies.
//
// What it holds to, whatever the configuration:
//
//   - A client authenticates (client_secret_basic, client_secret_post or
//     private_key_jwt). Public clients exist only where they were registered so.
//   - An ID-JAG counts only with typ oauth-id-jag+jwt, from an issuer that is
//     configured, signed with a key of that issuer, with this server as its only
//     audience, for the client that presents it, within its times and its tenant.
//   - One ID-JAG is good for one token. It is used up after every check has
//     passed, so that nobody but its owner can use it up.
//   - A token is for one resource, and for no scope that the ID-JAG does not
//     grant, the resource does not know or the policy does not allow.
//   - A token lives for minutes and there is no refresh token. Revoking a user
//     at the identity provider takes effect when the token ends; Revocations is
//     for those who cannot wait.
//   - An ID-JAG that is bound to a key (cnf) is refused, since DPoP is not
//     supported: redeeming it would undo the binding.
//   - What a client is told never says which check failed, and nothing of an
//     ID-JAG is in any log, error or audit record. Each refusal has one
//     claims.Reason, for the operator.
//   - When keys or a store are unavailable the answer is 503. It is never a
//     token, and never invalid_grant, which would make the client throw away an
//     ID-JAG that is good.
package idjag
