// An OpenID provider on a loopback port, for one test. It signs in whoever the
// login_hint names, without a password and without asking for consent.
//
// The first argument is a JSON object:
//   client     {id, secret, redirect}
//   groups     {account: [group, …]}
//   resources  {URL: {scope, also}}: with also, a second audience, aud is an array
//
// It prints one line, {"issuer": …}, when it is ready, and ends when its standard
// input does, so that it never outlives the test.
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import Provider, { errors } from 'oidc-provider'

const { client, groups, resources } = JSON.parse(process.argv[2])

const listener = http.createServer()
listener.listen(0, '127.0.0.1')
await once(listener, 'listening')
const issuer = `http://127.0.0.1:${listener.address().port}`

function key (alg, type, options) {
  const { privateKey } = generateKeyPairSync(type, options)
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg }
}

const provider = new Provider(issuer, {
  clients: [{
    client_id: client.id,
    client_secret: client.secret,
    redirect_uris: [client.redirect],
    response_types: ['code'],
    grant_types: ['authorization_code']
  }],
  jwks: {
    keys: [
      key('RS256', 'rsa', { modulusLength: 2048 }), // ID tokens
      key('ES256', 'ec', { namedCurve: 'P-256' }) // access tokens
    ]
  },
  cookies: { keys: ['only for tests'] },
  scopes: ['openid', 'groups'],
  claims: { openid: ['sub'], groups: ['groups'] },
  conformIdTokenClaims: false, // put the groups into the ID token
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, groups: groups[id] ?? [] })
  }),
  extraTokenClaims: (_, token) => ({ groups: groups[token.accountId] ?? [] }),
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo (_, resource) {
        if (!resources[resource]) throw new errors.InvalidTarget()
        return {
          scope: resources[resource].scope,
          audience: resource,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } }
        }
      }
    }
  },
  formats: {
    customizers: {
      jwt (_, token, { payload }) {
        const also = resources[payload.aud]?.also
        if (also) payload.aud = [payload.aud, also]
      }
    }
  },
  interactions: { url: (_, { uid }) => `/sign-in/${uid}` },
  // Whatever the client asks for, the administrator has granted.
  async loadExistingGrant ({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
    grant.addOIDCScope([...oidc.requestParamOIDCScopes].join(' '))
    for (const [resource, { scope }] of Object.entries(resources)) grant.addResourceScope(resource, scope)
    await grant.save()
    return grant
  }
})

const serve = provider.callback()
listener.on('request', async (req, res) => {
  if (!req.url.startsWith('/sign-in/')) return serve(req, res)
  try {
    const { params } = await provider.interactionDetails(req, res)
    await provider.interactionFinished(req, res, { login: { accountId: params.login_hint } })
  } catch (failed) {
    console.error(failed)
    res.writeHead(500).end()
  }
})

process.stdin.resume().on('end', () => process.exit())
console.log(JSON.stringify({ issuer }))
