/**
 * Listens as the OHIF image does: on every address of the machine, IPv6 and IPv4, with TLS or without.
 *
 * The terms of TLS are those of a configuration that says nothing about them.
 */
import { Limits, listenerSection, type SecureListener } from '../config/listener.ts'
import { fileScalars } from '../config/scalars.ts'
import { listenOpen } from '../listener/open-listener.ts'
import { type Bound, type ListenerEvents, listenSecure } from '../listener/secure-listener.ts'
import type { Keystore } from '../tls/keystore.ts'
import { effectiveTerms } from '../tls/protocol-floor.ts'
import { type ServerTrust, serverTrust } from '../tls/server-context.ts'
import { createTicketSecret } from '../tls/tickets.ts'
import { bindProblem } from './bind-problem.ts'
import type { CertificateFiles, OhifSettings } from './ohif-settings.ts'

/** Takes another certificate for the connections that come from now on. */
export type Renew = (keystore: Keystore) => void

export interface ImageListener extends Bound {
  /** Undefined: plain HTTP. */
  readonly renew: Renew | undefined
}

const name = 'web'

/** @param keystore  undefined: plain HTTP. @throws CommandEnd where the port cannot be had */
export async function listenAsImage(
  { port, files }: Pick<OhifSettings, 'port' | 'files'>,
  keystore: Keystore | undefined,
  events: ListenerEvents,
): Promise<ImageListener> {
  const limits = Limits.parse({})
  const bound = await onEveryAddress(host =>
    keystore === undefined
      ? listenOpen(name, { bind: { host, port }, limits }, events).then(open => ({ ...open, renew: undefined }))
      : listenTls(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, files, keystore, events),
  ).catch((cause: unknown) => {
    throw bindProblem(cause)
  })
  return { ...bound, urls: bound.urls.flatMap(bothFamilies) }
}

async function listenTls(
  bind: string,
  files: CertificateFiles,
  keystore: Keystore,
  events: ListenerEvents,
): Promise<ImageListener> {
  const section = listenerSection(fileScalars(path => path)).parse({ bind, keystore: files })
  if (section.kind !== 'secure') throw new Error('a listener with a keystore is one with TLS')
  const tickets = createTicketSecret()
  const bound = await listenSecure(name, section, trustOf(section, keystore), { ...events, tickets })
  return { ...bound, renew: next => bound.replace(section, trustOf(section, next)) }
}

function trustOf({ tls, clients }: SecureListener, keystore: Keystore): ServerTrust {
  const terms = effectiveTerms(tls, (key, message, severity) => {
    if (severity !== 'warning') throw new Error(`the usual terms are refused: ${key}: ${message}`)
  })
  if (terms === undefined) throw new Error('the usual terms are refused')
  const { certificate, depth, only } = clients
  return serverTrust({ terms, keystores: [keystore], clients: certificate, truststore: undefined, depth, only })
}

/** IPv6 and IPv4 by one socket, or IPv4 alone where the machine has no IPv6. */
async function onEveryAddress<T>(bind: (host: string) => Promise<T>): Promise<T> {
  try {
    return await bind('::')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL') throw cause
    return await bind('0.0.0.0')
  }
}

/** The socket of [::] takes IPv4 as well, and people look for that address. */
const bothFamilies = (url: string): string[] => (url.includes('[::]') ? [url.replace('[::]', '0.0.0.0'), url] : [url])
