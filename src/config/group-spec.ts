/**
 * Which groups a person of the directory is put into, as written: a name, or `:kind:value`.
 *
 * It only takes the text apart. Filters and attributes are looked at where they are used (ldap/directory-plan.ts), so
 * that `check` tells every mistake with its key.
 *
 * Source: OMERO `omero.ldap.new_user_group`.
 */
import { z } from 'zod'
import { type FileScalars, PersonName } from './scalars.ts'

export type GroupSpec =
  | { readonly kind: 'literal'; readonly group: string }
  /** The organizational unit that is nearest to the person. */
  | { readonly kind: 'ou' }
  /** `filtered`: only values that the group filter finds too. */
  | { readonly kind: 'attribute'; readonly attribute: string; readonly filtered: boolean }
  | { readonly kind: 'dn-attribute'; readonly attribute: string; readonly filtered: boolean }
  | { readonly kind: 'query'; readonly query: string }
  /** A function that an ES module exports. */
  | { readonly kind: 'bean'; readonly file: string; readonly name: string }

const known = ':ou:, :attribute:, :filtered_attribute:, :dn_attribute:, :filtered_dn_attribute:, :query:, :bean:'

const attributePattern = /^(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)$/

export const groupSpec = ({ File }: Pick<FileScalars, 'File'>) =>
  z.string().transform((text, context): GroupSpec => {
    const wrong = (message: string) => {
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    }
    if (!text.startsWith(':')) {
      const group = PersonName.safeParse(text)
      return group.success ? { kind: 'literal', group: text } : wrong(`write the name of a group, or one of ${known}`)
    }
    const [, kind = '', value = ''] = /^:([a-z_]*):(.*)$/s.exec(text) ?? []
    switch (kind) {
      case 'ou':
        return value === '' ? { kind: 'ou' } : wrong(':ou: takes nothing behind it')
      case 'attribute':
      case 'filtered_attribute':
      case 'dn_attribute':
      case 'filtered_dn_attribute': {
        if (!attributePattern.test(value)) return wrong(`:${kind}: takes the name of one attribute, e.g. memberOf`)
        const filtered = kind.startsWith('filtered_')
        return { kind: kind.includes('dn_') ? 'dn-attribute' : 'attribute', attribute: value, filtered }
      }
      case 'query':
        return value === '' ? wrong(':query: takes a filter, e.g. (member=@{dn})') : { kind: 'query', query: value }
      case 'bean': {
        const [, path = '', name = 'default'] = /^([^#]+)(?:#([A-Za-z_$][\w$]*))?$/.exec(value) ?? []
        if (!/\.[cm]?js$/.test(path))
          return wrong(':bean: takes a JavaScript module and one of its exports, e.g. :bean:groups.mjs#groupsOf')
        return { kind: 'bean', file: File.parse(path), name }
      }
      default:
        return wrong(`":${kind}:" is not known; known are ${known}`)
    }
  })
