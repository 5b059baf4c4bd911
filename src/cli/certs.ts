/**
 * `sallyport certs`: the private authority, certificates from it, and what stands in them. Here only the commands are
 * put together; the files that do the work are loaded when one is called, because the libraries behind them are large.
 */
import type { Argv } from 'yargs'
import { about, text } from './certs-line.ts'
import { issueLines } from './certs-line-issue.ts'
import { ledgerLines } from './certs-line-ledger.ts'
import { peerLines } from './certs-line-peer.ts'
import type { ShowArguments } from './certs-show.ts'
import type { Command, Run } from './command.ts'
import { configOption } from './configuration.ts'
import { foreseen } from './foreseen.ts'

const showLine = (y: Argv, run: Run): Argv =>
  y.command<ShowArguments>(
    'show [file]',
    'show what stands in a certificate, with its fingerprints',
    yy =>
      void about(
        yy,
        'sallyport certs show FILE | --listener NAME',
        'Shows names, validity, chain and fingerprints of every certificate in a PEM, DER or PKCS#12 file, or of a listener.',
        ['sallyport certs show certs/server.pem', ''],
        ['sallyport certs show --listener web', 'what the configuration names for it'],
      )
        .positional('file', { type: 'string', describe: 'PEM, DER or PKCS#12' })
        .options({
          ...configOption,
          listener: { ...text, describe: 'a listener of the configuration' },
          'password-file': {
            ...text,
            describe: 'a file with the password of the PKCS#12 file; without it it is asked for',
          },
        }),
    run(foreseen(async (argv, report) => (await import('./certs-show.ts')).showCertificates(argv, report))),
  )

export const certs: Command = {
  build: (y, run) => {
    about(
      y,
      'sallyport certs <command>',
      'Makes and shows certificates. First an authority of your own, once; then certificates for servers, browsers and devices.',
      ['sallyport certs authority', 'makes the authority in certs/authority'],
      ['sallyport certs server localhost', 'makes certs/server.pem, .key and .p12'],
      ['sallyport certs client alice', 'makes certs/alice.p12 for her browser'],
      ['sallyport certs revoke alice', 'takes it back'],
    )
    for (const lines of [issueLines, ledgerLines, showLine, peerLines]) lines(y, run)
    return y.demandCommand(
      1,
      'say which: sallyport certs authority, server, client, omero, list, revoke, crl, show, fetch or verify',
    )
  },
}
