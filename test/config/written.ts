/**
 * Configurations as a test writes them: only the part that matters, the rest made up.
 */
import { type Loaded, parseConfig } from '../../src/config/load.ts'
import { type Problem, pathText } from '../../src/config/problem.ts'
import type { Config } from '../../src/config/schema.ts'

const listener = `
listeners:
  web: { bind: "127.0.0.1:0", keystore: { certificate: server.pem, key: server.key } }
`

/** Relative paths are below /etc/sallyport; a listener is added where none is written. */
export const loadText = (yaml: string): Loaded =>
  parseConfig(/^listeners:/m.test(yaml) ? yaml : `${yaml}\n${listener}`, '/etc/sallyport')

export function configOf(yaml: string): Config {
  const loaded = loadText(yaml)
  if (!loaded.ok) throw new Error(loaded.problems.map(problemText).join('\n'))
  return loaded.config
}

/** `routes[0].path: message`, a warning marked as one. */
export const problemText = ({ path, message, severity }: Problem): string =>
  `${severity === 'warning' ? 'warning: ' : ''}${path.length === 0 ? '' : `${pathText(path)}: `}${message}`

/** All that is said of a text: errors, or warnings. */
export function saidOf(yaml: string): string[] {
  const loaded = loadText(yaml)
  return (loaded.ok ? loaded.warnings : loaded.problems).map(problemText)
}
