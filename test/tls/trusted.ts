/**
 * How a server is judged, from what an operator would write under `tls`. A mistake in it fails the test.
 */
import { peerTrustSection } from '../../src/config/peer-trust.ts'
import { fileScalars } from '../../src/config/scalars.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { type PeerTrust, readPeerTrust } from '../../src/tls/peer-trust.ts'
import { listening } from './said.ts'

export const section = peerTrustSection(fileScalars(path => path))

/** What is said of it, and what comes of it. Paths are absolute. */
export function readTrust(written: object, password?: string): { trust: PeerTrust | undefined; said: string[] } {
  const { report, said } = listening()
  const secret = password === undefined ? undefined : new Secret(password)
  return { trust: readPeerTrust(section.parse(written), secret, Date.now(), report), said }
}

export function trustOf(written: object, password?: string): PeerTrust {
  const { trust, said } = readTrust(written, password)
  if (trust === undefined) throw new Error(said.join('\n'))
  return trust
}
