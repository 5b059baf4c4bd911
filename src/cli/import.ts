/**
 * `sallyport import`: the configuration of another program as a draft of ours, and what a person must still decide.
 *
 * Reads files and prints; what is made of them stands in src/import. The draft goes to stdout or to a file that must not
 * exist yet, the list to stderr. Exit code 1: a draft was made, but the other program itself would not take its own file.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { Decision, DecisionKind } from '../import/decision.ts'
import { importOrthanc } from '../import/orthanc.ts'
import type { SourceFile } from '../import/orthanc-settings.ts'
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

/** Named in the manual, and refused by name until they are built. */
const later = ['omero']

const why: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'this account may not read it',
}

/** One file, or as Orthanc does it every .json file of a folder. */
function sourcesIn(named: string): SourceFile[] {
  const path = resolve(named)
  try {
    if (!statSync(path).isDirectory()) return [{ file: path, text: readFileSync(path, 'utf8') }]
    const inside = readdirSync(path, { withFileTypes: true })
      .filter(entry => !entry.isDirectory() && /\.json$/i.test(entry.name))
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

const headings: Readonly<Record<DecisionKind, string>> = {
  problem: 'Orthanc itself would not take this; the draft leaves it out:',
  decide: 'To be decided or done:',
  change: 'To be changed in the configuration of Orthanc:',
  note: 'Good to know:',
}

const wordsOf = ({ file, line, option, message }: Decision) =>
  `  ${file === undefined ? '' : `${shownPath(file)}:${line ?? 1}: `}${option === '' ? '' : `${option}: `}${message}`

function tellDecisions(decisions: readonly Decision[], report: Report): void {
  for (const [kind, decided] of Map.groupBy(decisions, one => one.kind)) {
    report.note(headings[kind])
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

function fromOrthanc({ files, out }: Arguments, report: Report): void {
  const sources = [...new Map(files.flatMap(sourcesIn).map(source => [source.file, source])).values()]
  const imported = importOrthanc(sources, process.env)
  if (!imported.ok) {
    for (const { file, line, column, message } of imported.mistakes)
      report.note(`${shownPath(file)}:${line}:${column}: ${message}`)
    report.result('', { ok: false, problems: imported.mistakes })
    report.fail(2, 'this is not the JSON that Orthanc reads; nothing was made')
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
  if (!report.json) tellDecisions(decisions, report)
  if (problems > 0)
    report.fail(1, `Orthanc itself would not take ${problems === 1 ? 'one thing' : `${problems} things`} in there`)
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
        run(foreseen(fromOrthanc), ['files']),
      )
      .command<{ _: (string | number)[] }>(
        later,
        false,
        yy => void yy.strict(false).help(false),
        run(({ _: [, name] }) => {
          throw new CommandEnd(2, `"sallyport import ${name}" is not built yet`, 'built is: sallyport import orthanc')
        }),
      )
      .demandCommand(1, 'say what: sallyport import orthanc FILE'),
}
