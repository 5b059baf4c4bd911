/**
 * Reads a configuration file: YAML -> shape -> references -> Config. All problems at once, each with path and line.
 *
 * Reading has no effect but reading: nothing is opened, bound or made. The files that the configuration names are
 * looked at by preflight.ts.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import type { Problem } from './problem.ts'
import { referenceProblems } from './references.ts'
import { type Config, configSchema } from './schema.ts'
import { type Issue, wordsFor } from './wording.ts'

export type Loaded =
  | {
      readonly ok: true
      readonly config: Config
      readonly warnings: readonly Problem[]
      readonly locate: Locate
      /** Absolute paths of the files that it names to be read. */
      readonly files: ReadonlySet<string>
    }
  | {
      readonly ok: false
      readonly problems: readonly Problem[]
      /** What can be read of it all the same, so that the files it names are looked at too; never to be run. */
      readonly draft?: { readonly config: Config; readonly locate: Locate }
    }

/** Adds line and column to a problem found later, in a file that the configuration names. */
export type Locate = (problem: Problem) => Problem

/** Of a failed union, the branch that got furthest: what the operator most likely meant. */
function* flatten(
  issues: readonly Issue[],
  prefix: readonly PropertyKey[] = [],
): Generator<{ issue: Issue; path: PropertyKey[] }> {
  for (const issue of issues) {
    const path = [...prefix, ...issue.path]
    const depth = (branch: readonly Issue[]) => Math.max(0, ...branch.map(inner => inner.path.length))
    const branches = issue.code === 'invalid_union' ? [...issue.errors].sort((a, b) => depth(b) - depth(a)) : []
    const best = branches[0]
    if (best !== undefined && depth(best) > 0) yield* flatten(best, path)
    else yield { issue, path }
  }
}

function toProblems(error: z.ZodError): Problem[] {
  const problems: Problem[] = []
  for (const { issue, path } of flatten(error.issues)) {
    const keys = path.map(key => (typeof key === 'number' ? key : String(key)))
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys)
        problems.push({ path: [...keys, key], message: `unknown key "${key}"; check its spelling and place` })
    } else {
      problems.push({ path: keys, message: wordsFor(issue, String(keys.at(-1) ?? 'configuration')) })
    }
  }
  return problems
}

/**
 * @param text       the YAML, as written
 * @param directory  absolute; what relative paths are relative to
 */
export function parseConfig(text: string, directory: string): Loaded {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: false, uniqueKeys: true })
  if (document.errors.length > 0) {
    return {
      ok: false,
      problems: document.errors.map(error => ({
        path: [],
        message: `not valid YAML: ${error.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '')}`,
        ...(error.linePos === undefined ? {} : { line: error.linePos[0].line, column: error.linePos[0].col }),
      })),
    }
  }

  // The deepest part of the path that stands in the file: a missing key is reported where it belongs.
  const locate: Locate = problem => {
    for (let length = problem.path.length; length >= 0; length--) {
      const path = problem.path.slice(0, length)
      const last = path.at(-1)
      const holder = length === 0 ? undefined : document.getIn(path.slice(0, -1), true)
      const key = isMap(holder)
        ? holder.items.map(pair => pair.key).find(name => isScalar(name) && String(name.value) === String(last))
        : undefined
      const node = key ?? (length === 0 ? document.contents : document.getIn(path, true))
      if (isNode(node) && node.range) {
        const { line, col } = lines.linePos(node.range[0])
        return { ...problem, line, column: col }
      }
    }
    return problem
  }

  let written: unknown
  try {
    written = document.toJS({ maxAliasCount: 100 }) ?? {}
  } catch (cause) {
    // The only way in which yaml tells of an alias that leads nowhere, or of far too many.
    const why = cause instanceof Error ? cause.message : 'an alias leads nowhere'
    return { ok: false, problems: [{ path: [], message: `not valid YAML: ${why}` }] }
  }
  const files = new Set<string>()
  const schema = configSchema(
    path => resolve(directory, path),
    file => files.add(file),
  )
  const parsed = schema.safeParse(written, { reportInput: true })
  const shape = parsed.success ? [] : toProblems(parsed.error).map(locate)
  // Unknown keys alone keep nobody from looking at the rest.
  const readable = parsed.success ? parsed : schema.safeParse(withoutUnknown(written, parsed.error))
  if (!readable.success) return { ok: false, problems: shape }
  const found = [...shape, ...referenceProblems(readable.data).map(locate)]
  if (found.some(problem => problem.severity !== 'warning')) {
    return { ok: false, problems: found, draft: { config: readable.data, locate } }
  }
  return { ok: true, config: readable.data, warnings: found, locate, files }
}

/** The same value without the keys that the schema does not know. */
function withoutUnknown(written: unknown, { issues }: z.ZodError): unknown {
  const copy = structuredClone(written)
  for (const { issue, path } of flatten(issues)) {
    if (issue.code !== 'unrecognized_keys') continue
    const holder = path.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), copy)
    if (isRecord(holder)) for (const key of issue.keys) delete holder[key]
  }
  return copy
}

const isRecord = (value: unknown): value is Record<PropertyKey, unknown> => typeof value === 'object' && value !== null

/** @param file  absolute or relative to the working directory */
export function loadConfig(file: string): Loaded {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    const message =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'this account may not read the file'
          : code === 'EISDIR'
            ? 'this is a folder, not a file'
            : `the file cannot be read (${code})`
    return { ok: false, problems: [{ path: [], message }] }
  }
  return parseConfig(text, dirname(resolve(file)))
}
