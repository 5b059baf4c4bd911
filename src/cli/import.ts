/**
 * `sallyport import`: the configuration of another program as a draft of ours, and what a person must still decide.
 *
 * Reads files and prints; what is made of them stands in src/import. The draft goes to stdout or to a file that must not
 * exist yet, the list to stderr. Exit code 1: a draft was made, but the other program itself would not take its own file.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { Decision, DecisionKind } from '../import/decision.ts'
import type { Imported, SourceFile } from '../import/imported.ts'
import { importOmero } from '../import/omero.ts'
import { importOrthanc } from '../import/orthanc.ts'
import { publicMode, writeNewFile } from '../issuer/new-file.ts'
import { IssuerRefusal } from '../issuer/refusal.ts'
import type { Command } from './command.ts'
import { foreseen } from './foreseen.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'

interface Arguments {
  files: string[]
  out?: string | undefined
}

/** What differs between the programs whose settings are read. */
interface Program {
  readonly name: string
  /** What files must be, for whoever named something else. */
  readonly wanted: string
  /** Undefined: files only. */
  readonly inFolders: RegExp | undefined
  bring(sources: readonly SourceFile[]): Imported
}

const orthanc: Program = {
  name: 'Orthanc',
  wanted: 'this is not the JSON that Orthanc reads',
  inFolders: /\.json$/i,
  bring: sources => importOrthanc(sources, process.env),
}

const omero: Program = {
  name: 'OMERO',
  wanted: 'these are not the settings of an OMERO',
  inFolders: undefined,
  bring: importOmero,
}

const why: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'this account may not read it',
}

/** One file, or where the program does that itself every file of a folder. */
function sourcesIn(named: string, { inFolders }: Program): SourceFile[] {
  const path = resolve(named)
  try {
    if (!statSync(path).isDirectory()) return [{ file: path, text: readFileSync(path, 'utf8') }]
    if (inFolders === undefined) throw new CommandEnd(2, `${shownPath(path)} is a folder`, 'name the files themselves')
    const inside = readdirSync(path, { withFileTypes: true })
      .filter(entry => !entry.isDirectory() && inFolders.test(entry.name))
      .map(({ name }) => join(path, name))
      .toSorted()
    if (inside.length === 0) throw new CommandEnd(2, `${shownPath(path)} holds no .json file`, 'name the file itself')
    return inside.map(file => ({ file, text: readFileSync(file, 'utf8') }))
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
    if (code === undefined) throw cause
    throw new CommandEnd(2, `${shownPath(path)} cannot be read: ${why[code] ?? code}`)
  }
}

const headings = (program: string): Readonly<Record<DecisionKind, string>> => ({
  problem: `${program} itself would not take this; the draft leaves it out:`,
  decide: 'To be decided or done:',
  change: `To be changed in the configuration of ${program}:`,
  note: 'Good to know:',
})

const wordsOf = ({ file, line, option, message }: Decision) =>
  `  ${file === undefined ? '' : `${shownPath(file)}:${line ?? 1}: `}${option === '' ? '' : `${option}: `}${message}`

function tellDecisions(decisions: readonly Decision[], program: string, report: Report): void {
  for (const [kind, decided] of Map.groupBy(decisions, one => one.kind)) {
    report.note(headings(program)[kind])
    for (const decision of decided) report.note(wordsOf(decision))
  }
}

/** A configuration that is there is never replaced by a draft. */
function writeDraft(out: string, draft: string): void {
  try {
    writeNewFile(out, draft, publicMode)
  } catch (cause) {
    if (!(cause instanceof IssuerRefusal) || cause.code !== 'file-exists') throw cause
    throw new CommandEnd(1, `${shownPath(out)} exists and is not overwritten`, 'name another file with --out')
  }
}

/**
 * A configuration in another folder goes by the state and the authority that commands have used here: paths in it are
 * relative to itself, and what was issued before it came would be unknown to it.
 */
function inPlace(draft: string, out: string): string {
  const from = dirname(resolve(out))
  if (from === process.cwd()) return draft
  const lines = [
    `state: ${relative(from, resolve('state'))}`,
    `authority: { dir: ${relative(from, resolve('certs/authority'))} }`,
  ]
  return draft.replace(/^listeners:$/m, [...lines, '', 'listeners:'].join('\n'))
}

function bring(program: Program, { files, out }: Arguments, report: Report): void {
  const named = files.flatMap(file => sourcesIn(file, program))
  const imported = program.bring([...new Map(named.map(source => [source.file, source])).values()])
  if (!imported.ok) {
    for (const { file, line, column, message } of imported.mistakes)
      report.note(`${shownPath(file)}:${line}:${column}: ${message}`)
    report.result('', { ok: false, problems: imported.mistakes })
    report.fail(2, `${program.wanted}; nothing was made`)
    return
  }
  const { decisions } = imported
  const draft = out === undefined ? imported.draft : inPlace(imported.draft, out)
  if (out !== undefined) writeDraft(out, draft)
  const problems = decisions.filter(({ kind }) => kind === 'problem').length
  const written = out === undefined ? {} : { out: resolve(out) }
  report.result(out === undefined ? draft.trimEnd() : `draft written: ${shownPath(out)}`, {
    ok: problems === 0,
    ...written,
    draft,
    decisions,
  })
  if (!report.json) tellDecisions(decisions, program.name, report)
  if (problems > 0)
    report.fail(
      1,
      `${program.name} itself would not take ${problems === 1 ? 'one thing' : `${problems} things`} in there`,
    )
}

export const imports: Command = {
  build: (y, run) =>
    y
      .usage(
        'sallyport import <command>\n\nReads the configuration of another program, prints a draft of ours, and lists what a person must still decide.',
      )
      .example('sallyport import orthanc /etc/orthanc/ --out config/sallyport.yaml', '')
      .command<Arguments>(
        'orthanc <files..>',
        'an Orthanc configuration (JSON): a file, several, or a folder',
        yy =>
          void yy
            .usage(
              'sallyport import orthanc FILE… [--out FILE]\n\nReads what Orthanc reads: JSON with comments, one file or the .json files of a folder, with environment variables put in. The draft is printed; what a person must decide goes to stderr. No password is shown.',
            )
            .example('sallyport import orthanc /etc/orthanc/orthanc.json > config/sallyport.yaml', '')
            .positional('files', { type: 'string', array: true, demandOption: true, describe: 'files, or a folder' })
            .options({ out: { type: 'string', requiresArg: true, describe: 'write the draft to a new file' } }),
        run(
          foreseen((argv, report) => bring(orthanc, argv, report)),
          ['files'],
        ),
      )
      .command<Arguments>(
        'omero <files..>',
        'settings of an OMERO.server, its LDAP before all: a file, or several',
        yy =>
          void yy
            .usage(
              'sallyport import omero FILE… [--out FILE]\n\nReads what "omero config get" prints, notes and scripts with "omero config set", and .properties files, mixed. The draft is printed; what a person must decide goes to stderr. No password is shown.',
            )
            .example('omero config get | sallyport import omero /dev/stdin > config/sallyport.yaml', '')
            .positional('files', { type: 'string', array: true, demandOption: true, describe: 'files' })
            .options({ out: { type: 'string', requiresArg: true, describe: 'write the draft to a new file' } }),
        run(
          foreseen((argv, report) => bring(omero, argv, report)),
          ['files'],
        ),
      )
      .demandCommand(1, 'say what: sallyport import orthanc FILE, sallyport import omero FILE'),
}
