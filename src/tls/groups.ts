/**
 * The groups of the key exchange: which of those wanted this OpenSSL has, and whether every allowed version can use one.
 *
 * Source: RFC 8446 4.2.7; SSL_CTX_set1_groups_list(3), which has no way to list what is there.
 */
import { createSecureContext } from 'node:tls'
import type { ProtocolRange } from '../config/protocol.ts'
import type { Terms } from '../config/terms.ts'
import type { Floor } from './floors.ts'
import type { Report } from './protocol-floor.ts'

export interface Groups {
  /** Those that this OpenSSL has, in order. */
  readonly groups: readonly string[]
  /** Groups asked for that this OpenSSL does not have. */
  readonly missingGroups: readonly string[]
}

const groupIsKnown = (group: string): boolean => {
  try {
    createSecureContext({ ecdhCurve: group })
    return true
  } catch {
    return false // OpenSSL refuses a name it does not have, and has no list to ask
  }
}

/** Hybrids and finite fields: TLS 1.2 cannot choose them. */
const since13 = /MLKEM|^ffdhe/i

/** @returns undefined when no handshake could be made with them; `report` has said why */
export function knownGroups(
  terms: Pick<Terms, 'groups'>,
  floor: Pick<Floor, 'groups'>,
  range: ProtocolRange | undefined,
  report: Report,
): Groups | undefined {
  const wanted = terms.groups ?? floor.groups
  const groups = wanted.filter(groupIsKnown)
  const missingGroups = wanted.filter(group => !groups.includes(group))
  if (groups.length === 0) {
    report('groups', `OpenSSL knows none of these groups: ${wanted.join(', ')}`)
    return undefined
  }
  if (terms.groups !== undefined && missingGroups.length > 0)
    report('groups', `this OpenSSL does not have ${missingGroups.join(', ')}; left out`, 'warning')
  if (range !== undefined && range.minimum < 'TLSv1.3' && groups.every(group => since13.test(group))) {
    report(
      'groups',
      `${groups.join(', ')}: for TLS 1.3 alone, and TLS 1.2 is allowed; name X25519 or prime256v1 too, or write minimum: 1.3`,
    )
    return undefined
  }
  return { groups, missingGroups }
}
