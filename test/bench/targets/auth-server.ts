/**
 * The small server that people put beside nginx (auth_request) or Caddy (forward_auth): sessions, and passwords by LDAP.
 *
 * Usage: node auth-server.ts PORT LDAP-URL PEOPLE-DN. `POST /login` with Basic gives a cookie; `/auth` answers 204 or 401.
 * A password that the directory took is remembered for a minute, under a hash.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { Client } from 'ldapts'

const [port, url = '', peopleDn = ''] = process.argv.slice(2)
const sessions = new Set<string>()
const remembered = new Map<string, number>()

async function knows(header: string): Promise<boolean> {
  const key = createHash('sha256').update(header).digest('base64')
  if ((remembered.get(key) ?? 0) > Date.now()) return true
  const [name = '', password = ''] = Buffer.from(header.replace(/^Basic /i, ''), 'base64')
    .toString()
    .split(':')
  if (!/^[\w.-]+$/.test(name) || password === '') return false
  const client = new Client({ url })
  try {
    await client.bind(`uid=${name},${peopleDn}`, password)
  } catch {
    return false
  } finally {
    await client.unbind()
  }
  remembered.set(key, Date.now() + 60_000)
  return true
}

async function isKnown({ headers }: IncomingMessage): Promise<boolean> {
  const session = /(?:^|; )gate=([^;]+)/.exec(headers.cookie ?? '')?.[1]
  if (session !== undefined) return sessions.has(session)
  return headers.authorization !== undefined && (await knows(headers.authorization))
}

createServer(async (request, response) => {
  request.resume()
  const known = await isKnown(request)
  if (!known) return response.writeHead(401, { 'content-length': 0 }).end()
  if (request.url !== '/login') return response.writeHead(204).end()
  const session = randomBytes(24).toString('base64url')
  sessions.add(session)
  response.writeHead(200, { 'set-cookie': `gate=${session}; Secure; HttpOnly; Path=/`, 'content-length': 0 }).end()
}).listen(Number(port), '127.0.0.1')
