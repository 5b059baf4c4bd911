/**
 * The terms of a handshake as `check` prints them: what is in force, one line for each kind, and what a floor left out.
 *
 * Suites that none of the listener's keys can take are told apart: OpenSSL enables them, and no handshake ever uses one.
 */
import { protocolText } from '../config/protocol.ts'
import type { Terms } from '../config/terms.ts'
import { floors } from '../tls/floors.ts'
import type { EffectiveTerms } from '../tls/protocol-floor.ts'
import { isTls13, type SigningKey, signingKeyOf } from '../tls/suites.ts'

const columns = 110
const indent = ' '.repeat(13)

/** A label and what belongs to it, broken between words. */
function paragraph(label: string, text: string): string {
  const lines: string[] = []
  let line = `  ${label.padEnd(10)}`
  for (const word of text.split(' ')) {
    if (line.length > indent.length && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = indent.slice(1)
    }
    line += ` ${word}`
  }
  return [...lines, line].join('\n')
}

/**
 * @param written  what the operator wrote, to tell what of the floor was overridden
 * @param keys     the kinds of the listener's keys; empty: not known yet
 */
export function termsLines(terms: EffectiveTerms, written: Terms, keys: readonly SigningKey[]): string[] {
  const { floor, minimum, maximum, suites, groups, leftOut } = terms
  const overridden = (['protocols', 'minimum', 'maximum', 'ciphers', 'groups'] as const).filter(
    key => written[key] !== undefined,
  )
  const takes = (suite: string) => {
    const key = signingKeyOf(suite)
    return key === undefined || keys.length === 0 || keys.includes(key)
  }
  const older = suites.filter(suite => !isTls13(suite))
  const idle = [...new Set(older.filter(suite => !takes(suite)).map(signingKeyOf))]
  const reasons = [...new Set(leftOut.map(({ because }) => because))]
  const by = overridden.length === 0 ? '' : `; overridden: ${overridden.join(', ')}`
  const range = minimum === maximum ? protocolText(minimum) : `${protocolText(minimum)} to ${protocolText(maximum)}`
  return [
    paragraph('floor', `${floor}: ${floors[floor].source}${by}`),
    paragraph('protocols', range),
    ...(suites.some(isTls13) ? [paragraph('TLS 1.3', suites.filter(isTls13).join(', '))] : []),
    ...(older.length > 0
      ? [
          paragraph(
            minimum < 'TLSv1.2' ? 'up to 1.2' : 'TLS 1.2',
            older.filter(takes).join(', ') || 'none that this listener has a key for',
          ),
        ]
      : []),
    ...idle.map(key => {
      const count = older.filter(suite => signingKeyOf(suite) === key).length
      return paragraph('', `(${count} more for an ${key} key, which this listener has none of)`)
    }),
    paragraph('groups', groups.join(', ')),
    ...reasons.map((reason, at) => {
      const names = leftOut.filter(({ because }) => because === reason).map(({ suite }) => suite)
      return paragraph(at === 0 ? 'left out' : '', `${names.join(', ')}: ${reason}`)
    }),
  ]
}
