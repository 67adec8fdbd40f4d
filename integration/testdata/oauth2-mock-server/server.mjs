// An oauth2-mock-server on a loopback port, for one test. By itself it gives a
// token to whoever asks, with an audience for clients and none for people.
//
// The first argument is a JSON object:
//   port     to listen on; default: any
//   slash    true: the issuer ends in a slash
//   header, payload  what is put over those of an access token, for both kinds of
//                    grant alike; null takes a member out
//
// It prints one line, {"issuer": …}, when it is ready, and ends when its standard
// input does, so that it never outlives the test.
import { OAuth2Server } from 'oauth2-mock-server'

const { port = 0, slash, header = {}, payload = {} } = JSON.parse(process.argv[2])

const server = new OAuth2Server(undefined, undefined, {
  shouldIssuerUrlBeSuffixedWithATralingSlash: slash // the package spells it so
})
await server.issuer.keys.generate('RS256')

function put (over, changes) {
  for (const [name, value] of Object.entries(changes)) over[name] = value ?? undefined
}

server.service.on('beforeTokenSigning', (token) => {
  if (!('scope' in token.payload)) return // an ID token
  put(token.header, header)
  put(token.payload, payload)
})

await server.start(port, 'localhost')
process.stdin.resume().on('end', () => process.exit())
console.log(JSON.stringify({ issuer: server.issuer.url }))
