/**
 * The command lines of `certs list`, `certs revoke`, `certs crl`.
 */
import type { Argv } from 'yargs'
import { revocationReasons } from '../issuer/issued-entry.ts'
import type { CrlArguments } from './certs-crl.ts'
import { about, authorityOptions, days, signingOptions, text } from './certs-line.ts'
import type { ListArguments, RevokeArguments } from './certs-list.ts'
import type { Run } from './command.ts'
import { foreseen } from './foreseen.ts'

export const ledgerLines = (y: Argv, run: Run): Argv =>
  y
    .command<ListArguments>(
      'list',
      'list what was issued',
      yy =>
        void about(
          yy,
          'sallyport certs list [--authority DIR]',
          'Lists what was issued, oldest first: serial, name, kind, end, and whether it is good, expired or revoked.',
          ['sallyport certs list', ''],
          ['sallyport certs list --json', 'for programs, with subject and SHA-256'],
        ).options({
          ...authorityOptions,
          authority: { ...text, describe: 'only what the authority in this folder issued' },
        }),
      run(foreseen(async (argv, report) => (await import('./certs-list.ts')).listIssued(argv, report))),
    )
    .command<RevokeArguments>(
      'revoke <which>',
      'take a certificate back',
      yy =>
        void about(
          yy,
          'sallyport certs revoke SERIAL|NAME [--reason REASON]',
          'Takes a certificate back, for good. A running gateway with this state refuses it within seconds.',
          ['sallyport certs revoke alice --reason keyCompromise', 'her laptop was stolen'],
          ['sallyport certs revoke 4F:0A:…:9C', 'by serial, as "certs list" or a browser shows it'],
        )
          .positional('which', {
            type: 'string',
            demandOption: true,
            describe: 'its serial, or a name that has one certificate which is good',
          })
          .options({
            ...authorityOptions,
            authority: { ...text, describe: 'only what the authority in this folder issued' },
            reason: {
              choices: revocationReasons,
              default: 'unspecified' as const,
              requiresArg: true,
              // Typed in a hurry: the case of a letter is not worth an error.
              coerce: (given: unknown) =>
                revocationReasons.find(one => one.toLowerCase() === String(given).toLowerCase()) ?? given,
              describe: 'why; stands in the revocation list',
            },
          }),
      run(foreseen(async (argv, report) => (await import('./certs-list.ts')).revokeIssued(argv, report))),
    )
    .command<CrlArguments>(
      'crl',
      'write the revocation list',
      yy =>
        void about(
          yy,
          'sallyport certs crl [--out FILE] [--days N] [--der]',
          'Writes the revocation list (CRL), signed by the authority, for servers other than this gateway.',
          ['sallyport certs crl', 'writes certs/crl.pem'],
          ['sallyport certs crl --out /srv/pki/crl.der --der --days 7', 'for a web server, every day from cron'],
        ).options({
          ...signingOptions,
          out: { ...text, describe: 'the file, PEM (certs/crl.pem; with --der certs/crl.der)' },
          days: { ...days, describe: 'after how many days it is over (30)' },
          der: { type: 'boolean', default: false, describe: 'write DER instead of PEM' },
        }),
      run(foreseen(async (argv, report) => (await import('./certs-crl.ts')).writeRevocationList(argv, report))),
    )
