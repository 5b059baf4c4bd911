/**
 * The online half of `check`: connects to each upstream, and to each server of the directory (check-online-directory.ts);
 * tells each outcome with its cause.
 */
import type { Config } from '../config/schema.ts'
import type { HttpUpstreamSection } from '../config/upstream.ts'
import { causeLine, Fault } from '../kernel/fault.ts'
import type { Materials } from '../preflight.ts'
import { examinePeer, fetchCommand } from '../tls/connect-peer.ts'
import { handshakeWords } from '../tls/handshake-words.ts'
import { platformTrust } from '../tls/peer-trust.ts'
import type { CheckOutcome } from '../tls/peer-verdict.ts'
import { probeRevocation } from '../tls/revocation-probe.ts'
import { addressOf } from '../upstream/connector.ts'
import { upstreamFault } from '../upstream/failure.ts'
import { dropBody, openUpstream } from '../upstream/upstream.ts'
import { checkDirectory } from './check-online-directory.ts'
import { checkStore } from './check-online-store.ts'
import type { Finding } from './online-finding.ts'

async function timed(what: string, work: () => Promise<string>): Promise<Finding> {
  const from = performance.now()
  const outcome = await work().then(
    detail => ({ ok: true, detail }),
    (cause: unknown) => ({ ok: false, detail: causeLine(cause) }), // the outcome is what was asked for
  )
  return { what, ...outcome, milliseconds: Math.round(performance.now() - from) }
}

/** Every check of the server's certificate. @throws Fault where one failed, with all that failed */
async function examined(name: string, section: HttpUpstreamSection, trust = platformTrust()): Promise<string> {
  const address = addressOf(section)
  const about = (cause: unknown) => `${name}: ${handshakeWords(cause) ?? 'in the handshake'}`
  const seen = await examinePeer(address, trust, { timeout: section.timeouts.connect }).catch(cause => {
    throw upstreamFault(cause, about(cause))
  })
  const details = (wanted: CheckOutcome['outcome']) => seen.outcomes.filter(({ outcome }) => outcome === wanted)
  const failed = details('failed').map(({ detail }) => detail)
  if (failed.length > 0) {
    const cause = new Error(`${failed.join('; ')}; what it presents: ${fetchCommand(address)}`)
    throw new Fault('upstream-untrusted', { cause, about: name })
  }
  const { turnedAway } = seen
  if (turnedAway !== undefined) throw new Fault('upstream-broken', { cause: turnedAway, about: about(turnedAway) })
  const fits = details('ok').map(({ check, detail }) => `${check} ok (${detail})`)
  return [seen.protocol, ...fits, ...seen.warnings.map(warning => `warning: ${warning}`)].join(', ')
}

/** One server, as the gateway would call it. @throws Fault */
async function askedServer(name: string, section: HttpUpstreamSection, materials: Materials): Promise<string> {
  const trust = materials.upstreamTrust.get(name)
  const seen = section.url.protocol === 'https:' ? [await examined(name, section, trust)] : []
  await using upstream = openUpstream(name, section, trust, Date.now)
  const password = materials.upstreamPasswords.get(name)
  const authorization =
    section.credentials === undefined || password === undefined
      ? []
      : ([
          [
            'authorization',
            `Basic ${Buffer.from(`${section.credentials.username}:${password.reveal()}`).toString('base64')}`,
          ],
        ] as const)
  const answer = await upstream.send({
    method: 'GET',
    target: section.kind === 'orthanc' ? '/system' : '/',
    headers: [['host', section.url.host], ...authorization],
    body: undefined,
    client: 'check',
    signal: AbortSignal.timeout(section.timeouts.connect * 2),
  })
  dropBody(answer)
  const { status } = answer
  if (status === 401)
    throw new Error(
      `it answers, but ${password === undefined ? 'wants a sign-in (give it credentials)' : 'refuses the credentials'} (401)`,
    )
  return [...seen, `answers with status ${status}`].join('; ')
}

export async function checkOnline(config: Config, materials: Materials): Promise<Finding[]> {
  const findings: Promise<Finding>[] = []
  for (const [name, section] of Object.entries(config.upstreams)) {
    if (section.kind === 'ohif') continue
    for (const url of section.urls) {
      const what = section.urls.length === 1 ? name : `${name} (${url.origin})`
      findings.push(timed(`upstream ${what}`, () => askedServer(name, { ...section, url, urls: [url] }, materials)))
    }
  }
  const store = checkStore(config, materials)
  if (store !== undefined) findings.push(timed(store.what, store.work))
  const lists = [...Object.values(config.listeners), ...Object.values(config.streams)].flatMap(section =>
    'clients' in section && section.clients.revocation !== undefined ? [section.clients.revocation] : [],
  )
  const [asked, directory, probed] = await Promise.all([
    Promise.all(findings),
    checkDirectory(config, materials),
    Promise.all(lists.map(section => probeRevocation(section, Date.now()))),
  ])
  return [...asked, ...directory, ...probed.flat()]
}
