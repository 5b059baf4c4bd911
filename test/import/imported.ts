/**
 * An Orthanc configuration, or settings of OMERO, as a test writes them, imported. Whatever else a test looks at: every
 * draft must load with our own schema, a directory in it must be one that can be asked, and what has `s3cret` in it is a
 * secret that must be in no draft and in no message.
 */
import { parseConfig } from '../../src/config/load.ts'
import { pathText } from '../../src/config/problem.ts'
import type { Config } from '../../src/config/schema.ts'
import type { Decision } from '../../src/import/decision.ts'
import type { Imported, SourceFile } from '../../src/import/imported.ts'
import { importOmero } from '../../src/import/omero.ts'
import { importOrthanc } from '../../src/import/orthanc.ts'
import type { Environment } from '../../src/import/variables.ts'
import { planDirectory } from '../../src/ldap/directory-plan.ts'

export interface ImportedText {
  readonly draft: string
  readonly config: Config
  readonly decisions: readonly Decision[]
  /** `kind option: message`, one of each. */
  readonly said: readonly string[]
}

/** @param written  JSON text, or what is to be written as JSON; it lies in /etc/orthanc */
export const importText = (written: string | object, env: Environment = {}): ImportedText =>
  importFiles({ 'orthanc.json': typeof written === 'string' ? written : JSON.stringify(written) }, env)

export const importFiles = (files: Readonly<Record<string, string>>, env: Environment = {}): ImportedText =>
  read(importOrthanc(sourcesOf('/etc/orthanc', files), env))

/** Settings of OMERO, as they stand in a file of that name in /etc/omero. */
export const importSettings = (text: string, name = 'settings.txt'): ImportedText =>
  importSettingsFiles({ [name]: text })

export const importSettingsFiles = (files: Readonly<Record<string, string>>): ImportedText =>
  read(importOmero(sourcesOf('/etc/omero', files)))

export const sourcesOf = (dir: string, files: Readonly<Record<string, string>>): SourceFile[] =>
  Object.entries(files).map(([name, text]) => ({ file: `${dir}/${name}`, text }))

function read(imported: Imported): ImportedText {
  if (!imported.ok) throw new Error(imported.mistakes.map(({ line, message }) => `${line}: ${message}`).join('\n'))
  const { draft, decisions } = imported
  const said = decisions.map(({ kind, option, message }) => `${kind} ${option}: ${message}`)
  if (/s3cret/.test(draft + said.join())) throw new Error(`a secret was told:\n${draft}\n${said.join('\n')}`)
  const loaded = parseConfig(draft, '/etc/sallyport')
  if (!loaded.ok) {
    const problems = loaded.problems.map(({ path, message }) => `${pathText(path)}: ${message}`)
    throw new Error(`the draft does not load: ${problems.join('; ')}\n${draft}`)
  }
  const { directory } = loaded.config.realms
  const planned = directory.enabled ? planDirectory(directory) : undefined
  if (planned?.ok === false) throw new Error(`no directory can be asked so: ${JSON.stringify(planned.mistakes)}`)
  return { draft, config: loaded.config, decisions, said }
}

/** The listener of a draft. */
export function webOf({ config }: ImportedText) {
  const web = config.listeners['web']
  if (web?.kind !== 'secure') throw new Error('the draft has no listener with TLS')
  return web
}

/** An upstream of a draft that is asked over HTTP; its address as text, since a URL compares equal to any other. */
export function upstreamOf({ config, draft }: ImportedText, name: string) {
  const upstream = config.upstreams[name]
  if (upstream === undefined || upstream.kind === 'ohif') throw new Error(`no upstream ${name} in\n${draft}`)
  return { ...upstream, url: upstream.url.href }
}
