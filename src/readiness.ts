/**
 * Whether the gateway can do its work now: upstreams, directory, certificates, state. For /readyz.
 */

import { asFault, type Fault } from './kernel/fault.ts'
import type { Directory } from './ldap/directory.ts'
import type { Readiness } from './listener/admin-listener.ts'
import type { ServerTrust } from './tls/server-context.ts'
import type { Upstream } from './upstream/upstream.ts'
import type { Viewer } from './viewer/static-files.ts'

export interface ReadinessParts {
  readonly upstreams: ReadonlyMap<string, Upstream>
  readonly viewers: ReadonlyMap<string, Viewer>
  readonly directory: Directory | undefined
  /** Listeners and streams. */
  readonly entrances: ReadonlyMap<string, ServerTrust>
  readonly isDraining: () => boolean
  /** Of the state. */
  readonly trouble: (() => Fault | undefined) | undefined
  readonly now: () => number
}

/** Answers are kept for a moment, so that a busy load balancer does not become load on the directory. */
const keep = 2_000

export function createReadiness({
  upstreams,
  viewers,
  directory,
  entrances,
  isDraining,
  trouble,
  now,
}: ReadinessParts): () => Promise<Readiness> {
  let last: { at: number; answer: Promise<Readiness> } | undefined

  async function ask(): Promise<Readiness> {
    const parts: Record<string, string> = {}
    for (const [name, { keystores }] of entrances) {
      const isExpired = keystores.some(({ certificate }) => certificate.validToDate.getTime() <= now())
      parts[`certificate ${name}`] = keystores.length === 0 ? 'none yet' : isExpired ? 'expired' : 'ok'
    }
    await Promise.all([
      ...[...upstreams].map(async ([name, upstream]) => {
        const isUp = await upstream.probe()
        const up = upstream.servers.filter(({ health }) => health.state === 'up').length
        const some = up < upstream.servers.length ? `ok: ${up} of ${upstream.servers.length} servers answer` : 'ok'
        parts[`upstream ${name}`] = isUp ? some : 'does not answer'
      }),
      ...[...viewers].map(async ([name, viewer]) => {
        parts[`upstream ${name}`] = (await viewer.isInstalled()) ? 'ok' : 'not installed'
      }),
      directory?.probe().then(
        () => {
          parts['directory'] = 'ok'
        },
        (fault: unknown) => {
          parts['directory'] = asFault(fault).code // the outcome is what was asked for
        },
      ),
    ])
    if (trouble !== undefined) parts['state'] = trouble()?.code ?? 'ok'
    if (isDraining()) parts['gateway'] = 'stopping'
    // A balancer that sends nobody here before a certificate has come would keep its authority away as well.
    return { ready: Object.values(parts).every(state => /^ok\b|^none yet$/.test(state)), parts }
  }

  return () => {
    if (last === undefined || now() - last.at > keep || isDraining()) last = { at: now(), answer: ask() }
    return last.answer
  }
}
