/**
 * `sallyport certs`: the private authority, certificates from it, and what stands in them. This file is the command
 * line; certs-issue.ts and certs-show.ts do the work, and are loaded only for it: the libraries behind them are large.
 */
import type { Argv } from 'yargs'
import { keyKinds } from '../issuer/keys.ts'
import type { AuthorityArguments, ClientArguments, ServerArguments } from './certs-issue.ts'
import type { ShowArguments } from './certs-show.ts'
import type { Command } from './command.ts'
import { configOption } from './configuration.ts'
import { foreseen } from './foreseen.ts'
import { CommandEnd } from './report.ts'

/** Named in the manual, and refused by name until they are built. */
const later = ['list', 'revoke', 'crl', 'fetch', 'verify', 'omero']

const text = { type: 'string', requiresArg: true } as const
const days = { type: 'number', requiresArg: true } as const

const leafOptions = {
  ...configOption,
  authority: { ...text, describe: 'the folder of the authority (configuration: authority.dir; else certs/authority)' },
  'authority-password-file': { ...text, describe: 'a file with the password of the authority key, if it is encrypted' },
  dir: { ...text, alias: 'out', default: 'certs', describe: 'the folder for the files' },
  format: {
    choices: ['modern', 'compat'] as const,
    default: 'modern' as const,
    requiresArg: true,
    describe: 'of the PKCS#12 file; compat is weak, and for old devices',
  },
  key: { choices: keyKinds, requiresArg: true, describe: 'the kind of key (ec-p256)' },
  'password-file': {
    ...text,
    describe: 'a file with the password for the PKCS#12 file; without it a random one is shown once',
  },
  force: { type: 'boolean', default: false, describe: 'replace files that are there' },
} as const

/** The sentence in front of the options; yargs shows the usage line as it is given. */
const about = (y: Argv, usage: string, sentence: string, ...examples: readonly [command: string, what: string][]) => {
  for (const [command, what] of examples) y.example(command, what)
  return y.usage(`${usage}\n\n${sentence}`)
}

export const certs: Command = {
  build: (y, run) =>
    about(
      y,
      'sallyport certs <command>',
      'Makes and shows certificates. First an authority of your own, once; then certificates for servers, browsers and devices.',
      ['sallyport certs authority', 'makes the authority in certs/authority'],
      ['sallyport certs server localhost', 'makes certs/server.pem, .key and .p12'],
      ['sallyport certs client alice', 'makes certs/alice.p12 for her browser'],
    )
      .command<AuthorityArguments>(
        'authority',
        'make the private authority (once)',
        yy =>
          void about(
            yy,
            'sallyport certs authority [--dir DIR] [--name NAME]',
            'Makes the private certificate authority: ca.pem, which is to be trusted, and ca.key, which is to be kept. An authority that is there is never replaced.',
            ['sallyport certs authority --name "Radiology CA"', 'people see this name in their browser'],
          ).options({
            ...configOption,
            dir: { ...text, alias: 'out', describe: 'its folder (configuration: authority.dir; else certs/authority)' },
            name: { ...text, describe: 'its name (sallyport authority HOST)' },
            days: { ...days, describe: 'how long it is good for (3652)' },
            key: {
              choices: ['ec-p256', 'ec-p384'] as const,
              default: 'ec-p256' as const,
              requiresArg: true,
              describe: 'the kind of key',
            },
            'password-file': { ...text, describe: 'encrypts its key; every later command then needs the password' },
          }),
        run(foreseen(async (argv, report) => (await import('./certs-issue.ts')).makeAuthorityFiles(argv, report))),
      )
      .command<ServerArguments>(
        'server [names..]',
        'make a server certificate',
        yy =>
          void about(
            yy,
            'sallyport certs server NAME… [--ip ADDRESS…] [--self-signed]',
            'Makes a server certificate that holds every name and address: server.pem, server.key and server.p12.',
            ['sallyport certs server imaging.example.org localhost --ip 192.0.2.10', 'from the authority'],
            ['sallyport certs server localhost --self-signed', 'without an authority, for 90 days'],
          )
            .positional('names', {
              type: 'string',
              array: true,
              default: [],
              describe: 'host names; addresses are known as such',
            })
            .options({
              ...leafOptions,
              // One address for each --ip: a list would swallow the names that follow, and addresses among names count as addresses.
              ip: { ...text, array: true, nargs: 1, default: [], describe: 'an IP address; may be given again' },
              'self-signed': {
                type: 'boolean',
                default: false,
                describe: 'a throw-away certificate without an authority',
              },
              days: {
                ...days,
                describe: 'how long it is good for, 825 at most (configuration: authority.days; else 397)',
              },
            })
            .check(argv => {
              const clash = (['days', 'key', 'authority', 'authority-password-file'] as const).find(
                key => argv[key] !== undefined,
              )
              if (!argv['self-signed'] || clash === undefined) return true
              throw new CommandEnd(
                2,
                `--self-signed makes an EC certificate for 90 days, without an authority; leave --${clash} out`,
              )
            }),
        run(foreseen(async (argv, report) => (await import('./certs-issue.ts')).makeServerFiles(argv, report))),
      )
      .command<ClientArguments>(
        'client <name>',
        'make a client certificate',
        yy =>
          void about(
            yy,
            'sallyport certs client NAME [--format modern|compat] [--days N] [--password-file F]',
            'Makes a client certificate for a browser, a DICOM node or an Orthanc peer: NAME.pem, NAME.key and NAME.p12.',
            ['sallyport certs client alice', 'shows the password of certs/alice.p12 once'],
            ['sallyport certs client ct-scanner-1 --key rsa-2048 --format compat', 'for an old device'],
          )
            .positional('name', {
              type: 'string',
              demandOption: true,
              describe: 'who holds it: becomes the common name',
            })
            .options({
              ...leafOptions,
              email: { ...text, describe: 'an e-mail address to put into it' },
              days: { ...days, describe: 'how long it is good for (configuration: authority.days; else 825)' },
            }),
        run(foreseen(async (argv, report) => (await import('./certs-issue.ts')).makeClientFiles(argv, report))),
      )
      .command<ShowArguments>(
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
      .command<{ _: (string | number)[] }>(
        later,
        false,
        yy => void yy.strict(false).help(false),
        run(({ _: [, name] }) => {
          throw new CommandEnd(
            2,
            `"sallyport certs ${name}" is not built yet`,
            'built are: sallyport certs authority, server, client, show',
          )
        }),
      )
      .demandCommand(1, 'say which: sallyport certs authority, server, client or show')
      .epilogue(`Not built yet: ${later.join(', ')}.`),
}
