/**
 * Signing in at a served site, as a browser does: the form, its token, the session cookie.
 */
import { askSite, type ServedSite, type Site } from '../fixture/site.ts'

export async function textOf(answer: Awaited<ReturnType<typeof askSite>>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>)).toString() // no encoding is set
}

const pairs = (lines: readonly string[] = []) => lines.map(line => line.split(';')[0] ?? '')

/** The session cookie as `name=value`. */
export async function signIn(
  site: Pick<Site, 'authority'>,
  served: Pick<ServedSite, 'port' | 'url'>,
  name: string,
  password: string,
): Promise<string> {
  const form = await askSite(site, served, '/-/login', { headers: { accept: 'text/html' } })
  const token = /name="token" value="([^"]+)"/.exec(await textOf(form))?.[1] ?? ''
  const answer = await askSite(site, served, '/-/login', {
    method: 'POST',
    headers: {
      cookie: pairs(form.headers['set-cookie']).join('; '),
      'content-type': 'application/x-www-form-urlencoded',
      origin: served.url,
    },
    body: new URLSearchParams({ name, password, token }).toString(),
  })
  const session = pairs(answer.headers['set-cookie']).find(pair => pair.startsWith('__Host-sallyport='))
  if (session === undefined) throw new Error(`no session: ${answer.statusCode} ${await textOf(answer)}`)
  return session
}
