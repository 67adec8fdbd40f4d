package main

import (
	"fmt"
	"io"
	"strings"
)

// howTo is what -serve prints. The secrets in it are the point of it: they were
// made for this run, open these loopback servers only, and end with it.
const howTo = `
Everything keeps running until you press Ctrl-C. Resource URL: {resource}

Get a token, which lives for ten minutes:

  field() { sed -E "s/.*\"$1\":\"([^\"]+)\".*/\1/"; }
  ID_TOKEN=$(curl -s {idp}/signin -d user={user} -d client_id={idp-client} | field id_token)
  ID_JAG=$(curl -s {idp}/token -u {idp-client}:{idp-secret} -d grant_type={exchange} -d requested_token_type={id-jag} -d subject_token=$ID_TOKEN -d subject_token_type={id-token} -d audience={auth} -d resource={resource} --data-urlencode "scope={scopes}" | field access_token)
  TOKEN=$(curl -s {auth}/token -u {auth-client}:{auth-secret} -d grant_type={bearer} -d assertion=$ID_JAG | field access_token)

Try it:

  curl -i {resource} -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" -d '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"8"}}}'

Paste into a client's configuration, with the token in place of $TOKEN:

  {"mcpServers": {"notes": {"type": "http", "url": "{resource}", "headers": {"Authorization": "Bearer $TOKEN"}}}}

A client that knows Enterprise-Managed Authorization needs the URL, the identity
provider {idp}, and its two registrations:
  at the identity provider     {idp-client} with the secret {idp-secret}
  at the authorization server  {auth-client} with the secret {auth-secret}
`

// explain prints how to use the servers that keep running.
func explain(out io.Writer, w *world) {
	fmt.Fprint(out, strings.NewReplacer(
		"{resource}", w.resource,
		"{idp}", w.idp.Issuer(),
		"{auth}", w.issuer,
		"{user}", user,
		"{idp-client}", w.atIdP.id,
		"{idp-secret}", w.atIdP.secret,
		"{auth-client}", w.atAS.id,
		"{auth-secret}", w.atAS.secret,
		"{exchange}", grantTokenExchange,
		"{bearer}", grantJWTBearer,
		"{id-token}", tokenTypeIDToken,
		"{id-jag}", tokenTypeIDJAG,
		"{scopes}", readScope+" "+writeScope,
	).Replace(howTo))
}
