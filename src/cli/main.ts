/**
 * The command line: one line for each command, each loaded only when it is called; the last catch of the process.
 */
import { createRequire } from 'node:module'
import yargs, { type Argv } from 'yargs'
import { hideBin } from 'yargs/helpers'
import { causeLine } from '../kernel/fault.ts'
import type { Command, Run } from './command.ts'
import { CommandEnd, createReport } from './report.ts'
import { closeSideDoors } from './side-doors.ts'

const commands: readonly [name: string, what: string, load: () => Promise<Command>][] = [
  ['serve', 'run the gateway', async () => (await import('./serve.ts')).serve],
  [
    'demo',
    'the quick start with real parts: Orthanc with a sample study, viewer, users, a browser certificate',
    async () => (await import('./demo.ts')).demo,
  ],
  [
    'check',
    'read the configuration and all files that it names, and print every problem',
    async () => (await import('./check.ts')).check,
  ],
  ['explain', 'which route, which rule, which answer, and why', async () => (await import('./explain.ts')).explain],
  ['certs', 'make and show certificates', async () => (await import('./certs.ts')).certs],
  ['users', 'local accounts', async () => (await import('./users.ts')).users],
  ['accounts', 'people of the directory', async () => (await import('./accounts.ts')).accounts],
  ['sessions', 'who is signed in; put them out', async () => (await import('./sessions.ts')).sessions],
  ['ldap', 'why a sign-in with the directory fails', async () => (await import('./ldap.ts')).ldap],
  [
    'import',
    'the configuration of another program as a draft of ours',
    async () => (await import('./import.ts')).imports,
  ],
  ['audit', 'the audit trail, readable', async () => (await import('./audit.ts')).audit],
  ['viewer', 'the OHIF viewer', async () => (await import('./viewer.ts')).viewer],
]

const usageHint = 'sallyport --help lists the commands, sallyport COMMAND --help its options'

/** What may be given more than once; yargs makes a list of everything else that is, and no handler expects one. */
const lists = new Set(['_', 'names', 'ip', 'group'])

function refuseTwice(given: unknown, repeatable: readonly string[]): void {
  const mayRepeat = (name: string) => lists.has(name) || repeatable.includes(name)
  const twice = Object.entries(given ?? {}).find(([name, value]) => Array.isArray(value) && !mayRepeat(name))
  if (twice !== undefined) throw new CommandEnd(2, `--${twice[0]} was given more than once`)
}

const isVersionAsked = (argv: readonly string[]) => argv.filter(one => one !== '--json').join(' ') === '--version'
/** Of package.json, which is as far from here in a checkout as in the package. */
const version = (): string =>
  String((createRequire(import.meta.url)('../../package.json') as { readonly version: unknown }).version)

export async function main(argv: readonly string[]): Promise<number> {
  const report = createReport(argv.includes('--json'))
  const run: Run =
    (handler, repeatable = []) =>
    async given => {
      refuseTwice(given, repeatable)
      await handler(given, report)
    }
  const parser = yargs([...argv])
    .scriptName('sallyport')
    .usage(
      '$0 <command>\n\nA TLS gateway in front of Orthanc, OHIF and OMERO.web: browsers, peers and DICOM nodes by certificate, people by LDAP.',
    )
    .option('json', { type: 'boolean', describe: 'print the result as JSON', global: true })
    .strict()
    .demandCommand(1, 'Name a command.')
    .recommendCommands()
    .epilogue('sallyport --version prints the version.')
    .help()
    .alias('help', 'h')
    .version(false)
    .wrap(Math.min(110, process.stdout.columns ?? 100))
    .exitProcess(false)
    .fail((message, error) => {
      // yargs has an error of its own for what was typed wrongly; all others come from a handler.
      if (error !== undefined && error !== null && error.name !== 'YError') throw error
      throw new CommandEnd(2, error?.message ?? message, usageHint)
    })
  for (const [name, what, load] of commands) {
    parser.command({
      command: name,
      describe: what,
      builder: async (y: Argv) => (await load()).build(y.strict(), run),
      handler: () => undefined,
    })
  }
  try {
    if (isVersionAsked(argv)) report.result(version(), { version: version(), node: process.versions.node })
    else await parser.parseAsync()
  } catch (thrown) {
    if (thrown instanceof CommandEnd) report.fail(thrown.exitCode, thrown.message, thrown.cure)
    else report.fail(1, causeLine(thrown))
    if (!(thrown instanceof CommandEnd) && process.env['SALLYPORT_TRACE'] === '1') console.error(thrown)
  }
  return report.exitCode
}

closeSideDoors()
process.exitCode = await main(hideBin(process.argv))
