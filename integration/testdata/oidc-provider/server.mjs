// An OpenID provider on a loopback port, for one test. It signs in whoever the
// login_hint names, without a password and without asking for consent.
//
// The first argument is a JSON object:
//   client     {id, secret, redirect}
//   groups     {account: [group, …]}
//   resources  {URL: {scope, also, audience, format, jwt, seconds, header, payload}}:
//              with also, a second audience, aud is an array; header and payload
//              are put over those of an access token, where null takes a member out
//   port       to listen on; default: any
//   path       of the issuer; default: none
//   kid        of the key for access tokens; default: its thumbprint
//
// It prints one line, {"issuer": …}, when it is ready, and ends when its standard
// input does, so that it never outlives the test.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import Provider, { errors } from 'oidc-provider'

const { client, groups = {}, resources, port = 0, path = '', kid } = JSON.parse(process.argv[2])

const listener = http.createServer()
listener.listen(port, '127.0.0.1')
await once(listener, 'listening')
const issuer = `http://127.0.0.1:${listener.address().port}${path}`

function key (alg, type, options, more) {
  const { privateKey } = generateKeyPairSync(type, options)
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', ...more }
}

// What a resource server would hold to decrypt its tokens. No party of the test
// has the private part.
const readers = {
  'RSA-OAEP-256': generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey,
  dir: randomBytes(32)
}

function jwt ({ sign = { alg: 'ES256' }, encrypt } = {}) {
  return {
    ...sign && { sign: sign.alg.startsWith('HS') ? { ...sign, key: randomBytes(32) } : sign },
    ...encrypt && { encrypt: { ...encrypt, key: readers[encrypt.alg] } }
  }
}

function put (over, changes = {}) {
  for (const [name, value] of Object.entries(changes)) over[name] = value ?? undefined
}

const provider = new Provider(issuer, {
  clients: [{
    client_id: client.id,
    client_secret: client.secret,
    redirect_uris: [client.redirect],
    response_types: ['code'],
    grant_types: ['authorization_code', 'client_credentials']
  }],
  jwks: {
    keys: [
      key('RS256', 'rsa', { modulusLength: 2048 }), // ID tokens
      key('ES256', 'ec', { namedCurve: 'P-256' }, { kid }), // access tokens
      key('ES384', 'ec', { namedCurve: 'P-384' }), // those of resources that want it
      key('ECDH-ES', 'ec', { namedCurve: 'P-256' }, { use: 'enc' }) // what others encrypt for the provider
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
    clientCredentials: { enabled: true },
    encryption: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo (_, resource) {
        const known = resources[resource]
        if (!known) throw new errors.InvalidTarget()
        return {
          scope: known.scope,
          audience: known.audience ?? resource,
          accessTokenFormat: known.format ?? 'jwt',
          accessTokenTTL: known.seconds,
          jwt: jwt(known.jwt)
        }
      }
    }
  },
  formats: {
    customizers: {
      jwt (_, token, structured) {
        const { also, header, payload } = resources[token.resourceServer.identifier()]
        if (also) structured.payload.aud = [structured.payload.aud, also]
        structured.header = {}
        put(structured.header, header)
        put(structured.payload, payload)
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
  if (!req.url.startsWith('/sign-in/')) {
    // As a framework does that mounts the provider below a path.
    if (!req.url.startsWith(`${path}/`)) return res.writeHead(404).end()
    req.originalUrl = req.url
    req.url = req.url.slice(path.length)
    return serve(req, res)
  }
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
