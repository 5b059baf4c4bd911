/**
 * The command lines of `certs authority`, `certs server`, `certs client`, `certs omero`.
 */
import type { Argv } from 'yargs'
import { keyKinds } from '../issuer/keys.ts'
import type { AuthorityArguments, ClientArguments, ServerArguments } from './certs-issue.ts'
import { about, containerOptions, days, ipOption, signingOptions, text } from './certs-line.ts'
import type { OmeroArguments } from './certs-omero.ts'
import type { Run } from './command.ts'
import { configOption } from './configuration.ts'
import { foreseen } from './foreseen.ts'
import { CommandEnd } from './report.ts'

const keyOption = (usual: string) =>
  ({ choices: keyKinds, requiresArg: true, describe: `the kind of key (${usual})` }) as const

const leafOptions = {
  ...signingOptions,
  dir: { ...text, alias: 'out', default: 'certs', describe: 'the folder for the files' },
  key: keyOption('ec-p256'),
  ...containerOptions,
} as const

const serverDays = {
  ...days,
  describe: 'how long it is good for, 825 at most (configuration: authority.days; else 397)',
} as const

export const issueLines = (y: Argv, run: Run): Argv =>
  y
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
          ['sallyport certs server "*.example.org"', 'a wildcard holds one level of names'],
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
            ...ipOption,
            'client-auth': {
              type: 'boolean',
              default: false,
              describe: 'also for connecting to others: a DICOM node, an Orthanc peer',
            },
            'self-signed': {
              type: 'boolean',
              default: false,
              describe: 'a throw-away certificate without an authority',
            },
            days: serverDays,
          })
          .check(argv => {
            const clash = (['days', 'key', 'authority', 'authority-password-file'] as const).find(
              key => argv[key] !== undefined,
            )
            if (!argv['self-signed'] || (clash === undefined && !argv['client-auth'])) return true
            throw new CommandEnd(
              2,
              `--self-signed makes an EC certificate for servers, for 90 days, without an authority; leave --${clash ?? 'client-auth'} out`,
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
    .command<OmeroArguments>(
      'omero',
      'make what an OMERO.server needs for TLS',
      yy =>
        void about(
          yy,
          'sallyport certs omero [--dir DIR] [--name NAME…] [--ip ADDRESS…]',
          'Makes server.p12, server.pem, server.key and cacert.pem for an OMERO.server, and prints the settings that name them. A server.key that is there is kept; the certificate is issued anew each time.',
          ['sallyport certs omero --name omero.example.org --ip 192.0.2.20', 'the names that clients type'],
          ['sallyport certs omero --dir /OMERO/certs --force', 'instead of what "omero certificates" made there'],
        ).options({
          ...signingOptions,
          dir: { ...text, alias: 'out', default: 'certs/omero', describe: 'the folder for the files' },
          name: {
            ...text,
            array: true,
            nargs: 1,
            default: [],
            describe: 'a host name of the server; may be given again (this machine and localhost)',
          },
          ...ipOption,
          days: serverDays,
          key: keyOption('rsa-2048, as OMERO itself makes'),
          ...containerOptions,
        }),
      run(
        foreseen(async (argv, report) => (await import('./certs-omero.ts')).makeOmeroFiles(argv, report)),
        ['name'],
      ),
    )
