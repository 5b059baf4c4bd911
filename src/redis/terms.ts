/**
 * What the configuration names for the Redis of the state, read from its files.
 */
import type { StoreSection } from '../config/store.ts'
import type { Secret } from '../kernel/secret.ts'
import { type PeerTrust, readPeerTrust } from '../tls/peer-trust.ts'
import type { Report } from '../tls/protocol-floor.ts'
import { readSecret } from '../tls/secret-file.ts'

/** Nothing for a file. */
export interface StoreMaterials {
  readonly trust: PeerTrust | undefined
  readonly password: Secret | undefined
}

/** Of use only where no error was reported. */
export function inspectStore(
  section: StoreSection,
  env: NodeJS.ProcessEnv,
  now: number,
  report: Report,
): StoreMaterials {
  if (section.kind === 'sqlite') return { trust: undefined, password: undefined }
  const { password, tls } = section
  return {
    trust: tls && readPeerTrust(tls, undefined, now, report),
    password: password && readSecret(password, env, (message, severity) => report('password', message, severity)),
  }
}
