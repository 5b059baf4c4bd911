/** What a reader of files reported: `key: message`, a warning marked as one. */
import type { Report } from '../../src/tls/protocol-floor.ts'

export function listening(): { readonly report: Report; readonly said: string[] } {
  const said: string[] = []
  return {
    said,
    report: (key, message, severity) => said.push(`${severity === undefined ? '' : 'warning: '}${key}: ${message}`),
  }
}
