/**
 * Which certificate is meant by what a person typed, when one is to be taken back: exactly one, or a refusal.
 *
 * A serial says it for certain. A name does where one certificate of that name is good; of two the wrong one may be in
 * use, so then the serial is asked for. Pure: the ledger does the writing.
 */
import { type IssuedEntry, plainSerial, stateOf } from './issued-entry.ts'
import { IssuerRefusal } from './refusal.ts'

/** Codes: `issued-unknown`, `revoked-already`, `issued-expired` (by name only), `revoke-ambiguous`. */
export function chooseForRevocation(all: readonly IssuedEntry[], serialOrName: string, now: Date): IssuedEntry {
  const bySerial = all.filter(({ serial }) => serial === serialIn(serialOrName))
  const found = bySerial.length > 0 ? bySerial : all.filter(({ name }) => name === serialOrName)
  const shown = JSON.stringify(serialOrName)
  if (found.length === 0)
    throw new IssuerRefusal('issued-unknown', `no certificate with the serial or name ${shown} was issued here`)

  const open = found.filter(({ revokedAt }) => revokedAt === undefined)
  if (open.length === 0) {
    const when = found.map(({ revokedAt = '' }) => revokedAt).sort()
    throw new IssuerRefusal('revoked-already', `${what(found, shown)} revoked already, on ${moment(when.at(-1) ?? '')}`)
  }
  // One that has ended lets nobody in; by its serial it may still be put on the list, for those who ask later.
  const good = bySerial.length > 0 ? open : open.filter(entry => stateOf(entry, now) === 'good')
  const [only] = good
  if (only === undefined)
    throw new IssuerRefusal('issued-expired', `${what(open, shown)} expired: there is nothing to take back`)
  if (good.length > 1) {
    const lines = good.map(({ serial, kind, notAfter, when }) => {
      return `  ${serial}  ${kind}, issued ${moment(when)}, good until ${moment(notAfter)}`
    })
    throw new IssuerRefusal(
      'revoke-ambiguous',
      `${good.length} certificates of the name ${shown} are good:\n${lines.join('\n')}`,
    )
  }
  return only
}

/** `serial=4F…` is what openssl prints, `4f:…` what browsers show, `0x4f…` what others do. */
const serialIn = (text: string) => plainSerial(text.trim().replace(/^(serial=|0x)/i, ''))

const what = (found: readonly IssuedEntry[], shown: string) =>
  found.length === 1 ? `the certificate ${shown} is` : `all certificates of the name ${shown} are`

const moment = (iso: string) => `${iso.slice(0, 16).replace('T', ' ')} UTC`
