// The client of the official TypeScript SDK, for one test: it connects to an MCP
// server with the SDK's own provider for Enterprise-Managed Authorization, and
// calls tools one after the other, in one session.
//
// The argument is a JSON object:
//   server    URL of the MCP server
//   protocol  the version to speak
//   idp       {issuer, id, secret, idToken}: where ID-JAGs come from
//   client    {issuer, id, secret, method}: the client at the authorization server
//   calls     [tool, …]
//
// It prints one line, {"protocol": …, "answers": [{"text"} or {"error", "status"}, …]}.
import {
  Client, CrossAppAccessProvider, StreamableHTTPClientTransport, discoverAndRequestJwtAuthGrant
} from '@modelcontextprotocol/client'

const { server, protocol, idp, client, calls } = JSON.parse(process.argv[2])

// The provider has no setting for the method, but the SDK asks the registration
// of the client for one.
class Provider extends CrossAppAccessProvider {
  clientInformation () {
    return { ...super.clientInformation(), token_endpoint_auth_method: client.method }
  }
}

const provider = new Provider({
  clientId: client.id,
  clientSecret: client.secret,
  expectedIssuer: client.issuer,
  async assertion ({ authorizationServerUrl, resourceUrl, scope, fetchFn }) {
    const { jwtAuthGrant } = await discoverAndRequestJwtAuthGrant({
      idpUrl: idp.issuer,
      audience: authorizationServerUrl,
      resource: resourceUrl,
      idToken: idp.idToken,
      clientId: idp.id,
      clientSecret: idp.secret,
      scope,
      fetchFn
    })
    return jwtAuthGrant
  }
})

const mcp = new Client({ name: 'typescript', version: '1.0.0' }, {
  versionNegotiation: { mode: protocol === '2025-11-25' ? 'legacy' : { pin: protocol } }
})
await mcp.connect(new StreamableHTTPClientTransport(new URL(server), { authProvider: provider }))

const answers = []
for (const name of calls) {
  try {
    const { content } = await mcp.callTool({ name })
    answers.push({ text: content[0].text })
  } catch (error) {
    answers.push({ error: error.message, status: error.status ?? error.data?.status })
  }
}
console.log(JSON.stringify({ protocol: mcp.getNegotiatedProtocolVersion(), answers }))
await mcp.close()
