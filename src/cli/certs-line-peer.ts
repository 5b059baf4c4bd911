/**
 * The command lines of `certs fetch` and `certs verify`.
 */
import type { Argv } from 'yargs'
import type { FetchArguments } from './certs-fetch.ts'
import { about, text } from './certs-line.ts'
import type { VerifyArguments } from './certs-verify.ts'
import type { Run } from './command.ts'
import { foreseen } from './foreseen.ts'

const server = { type: 'string', demandOption: true, describe: 'HOST:PORT' } as const

export const peerLines = (y: Argv, run: Run): Argv =>
  y
    .command<FetchArguments>(
      'fetch <server>',
      'show what a remote server presents',
      yy =>
        void about(
          yy,
          'sallyport certs fetch HOST:PORT',
          'Shows the certificates that a remote server presents, unauthenticated, with fingerprints for "pins".',
          ['sallyport certs fetch pacs.example.org:8042', ''],
        )
          .positional('server', server)
          .options({ name: { ...text, describe: 'the name to ask for (SNI), if it is not the host' } }),
      run(foreseen(async (argv, report) => (await import('./certs-fetch.ts')).fetchCertificates(argv, report))),
    )
    .command<VerifyArguments>(
      'verify <server>',
      'check a TLS server as a client would',
      yy =>
        void about(
          yy,
          'sallyport certs verify HOST:PORT [--ca F | --platform-cas] [--pin P…] [--only RULE] [--name N | --no-name] …',
          'Calls a TLS server, checks its chain, name and fingerprint, and says how each check went. Exit code 0 or 1.',
          ['sallyport certs verify pacs.example.org:8042 --ca certs/pacs-ca.pem', ''],
          ['sallyport certs verify omero.example.org:4064 --pin sha256:AB:CD:…', 'for a self-signed certificate'],
        )
          .positional('server', server)
          .options({
            ca: { ...text, describe: 'a file with the authorities, or with the certificate itself (CAs)' },
            'platform-cas': {
              type: 'boolean',
              describe: 'the authorities of this machine (UsePlatformCAs); so it is when neither ca nor pin is given',
            },
            pin: {
              ...text,
              array: true,
              nargs: 1,
              describe: 'a fingerprint that it may have; may be given again. Without a ca it stands in its place',
            },
            only: { ...text, describe: 'names that it may have, such as "CN=a;CN=b;!CN=c" (TrustOnly)' },
            name: {
              ...text,
              describe: 'the expected name, if it is not the host; --no-name for any (CheckCertName)',
            },
            depth: {
              type: 'number',
              requiresArg: true,
              describe: 'certificates in the chain at most, its own included; 0: no limit (VerifyDepthMax)',
            },
            protocols: { ...text, describe: 'such as tls1_2,tls1_3 (Protocols)' },
            certificate: { ...text, describe: 'a client certificate to show: PEM or PKCS#12 (CertFile)' },
            key: { ...text, describe: 'its key, if it is in a file of its own (KeyFile)' },
            'password-file': { ...text, describe: 'a file with the password of the key (Password)' },
          }),
      run(
        foreseen(async (argv, report) => (await import('./certs-verify.ts')).verifyServer(argv, report)),
        ['pin'],
      ),
    )
