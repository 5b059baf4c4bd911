/**
 * `sallyport certs crl`: writes the revocation list of the authority, for servers that do not read our ledger.
 *
 * It is written over the one before; over anything else it is not, because a slip of the keyboard may name a key.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { publicMode } from '../issuer/new-file.ts'
import { isRevocationList, signRevocationList } from '../issuer/revocation-list.ts'
import { subjectOf } from '../issuer/sign.ts'
import { writeFileAtomically } from '../kernel/atomic-file.ts'
import { authorityPlace, openPlace, openPlaceLedger } from './certs-authority.ts'
import { validText } from './certs-text.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'

export interface CrlArguments {
  config?: string | undefined
  authority?: string | undefined
  authorityPasswordFile?: string | undefined
  out?: string | undefined
  days?: number | undefined
  der: boolean
}

export async function writeRevocationList(argv: CrlArguments, report: Report): Promise<void> {
  if (Number.isNaN(argv.days)) throw new CommandEnd(2, '--days wants a number', 'for example --days 7')
  const file = resolve(argv.out ?? (argv.der ? 'certs/crl.der' : 'certs/crl.pem'))
  refuseOther(file)
  const place = authorityPlace(argv.authority, argv.config, report)
  const authority = await openPlace(place, argv.authorityPasswordFile, report)
  using ledger = await openPlaceLedger(place, report)
  const list = await signRevocationList(authority, ledger, argv.days === undefined ? {} : { days: argv.days })
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileAtomically(file, argv.der ? list.der : list.pem, publicMode)

  const issuer = subjectOf(authority.certificate)
  const { number, entries, thisUpdate, nextUpdate } = list
  const shown = shownPath(file)
  report.result(
    [
      `revocation list ${number} of ${issuer}`,
      `  ${shown}  ${entries === 1 ? 'one certificate is' : `${entries === 0 ? 'no' : entries} certificates are`} on it`,
      `  valid    ${validText({ notBefore: thisUpdate, notAfter: nextUpdate })}`,
    ].join('\n'),
    { file, format: argv.der ? 'der' : 'pem', issuer, number, entries, thisUpdate, nextUpdate },
  )
  report.note(`write the next one before that: servers that look at ${shown} let nobody in once it is over`)
  report.note(
    `use it: clients: { revocation: { lists: [${shown}] } } in another gateway, ssl_crl in nginx; the gateway whose state is in ${shownPath(place.state)} needs no list`,
  )
}

function refuseOther(file: string): void {
  if (!existsSync(file) || isRevocationList(readFileSync(file))) return
  throw new CommandEnd(
    1,
    `${shownPath(file)} exists and is no revocation list; nothing was written`,
    'name another file with --out FILE',
  )
}
