/**
 * omero.ldap.new_user_group and its owner: into which groups the directory puts people.
 *
 * Not to forget: groups open doors, so whatever cannot be said alike makes the option unclear, and the directory stays off.
 *
 * Source: OMERO LdapConfig and ome.security.auth (*NewUserGroupBean): kinds, and who uses the owner.
 */
import { groupSpec } from '../config/group-spec.ts'
import { isReserved } from '../config/reserved-groups.ts'
import { fileScalars } from '../config/scalars.ts'
import { foldName } from '../kernel/fold-name.ts'
import { parseFilter } from '../ldap/filter.ts'
import { wrongPlaceholders } from '../ldap/placeholder.ts'
import { quoted, type Tell } from './decision.ts'
import { type DraftMap, type DraftValue, remarked } from './draft.ts'
import type { OmeroSettings } from './omero-property.ts'
import { filterMistake, spelled } from './omero-text.ts'

const key = 'omero.ldap.new_user_group'
const owner = 'omero.ldap.new_user_group_owner'

/** A draft has no administrators yet, and allows nothing. */
const draft = { administrators: [], allowed: [] }

const known = 'ou, attribute, filtered_attribute, dn_attribute, filtered_dn_attribute, query, bean'

export function drawGroups(settings: OmeroSettings, tell: Tell): DraftMap {
  const spec = specIn(settings, tell)
  if (spec === undefined) settings.makeUnclear(key)
  return {
    newUserGroup: spec === undefined || spec === 'default' ? undefined : remarked(spec, key),
    newUserGroupOwner: ownerIn(settings, spec, tell),
  }
}

/** Undefined: it cannot be said, which has been told. */
function specIn(settings: OmeroSettings, tell: Tell): string | undefined {
  if (!settings.has(key)) return 'default'
  const text = spelled(settings, key, tell)
  if (text === undefined) return undefined
  const place = settings.place(key)
  const [, kind, value = ''] = /^:([^:]*):(.*)$/s.exec(text) ?? []
  if (kind === undefined && !text.startsWith(':')) {
    if (isReserved(text, draft)) {
      tell(
        'decide',
        place,
        `puts everybody into ${quoted(text)}, a reserved group; write another, or that one and allowReserved: [${foldName(text)}] beside it`,
      )
      return undefined
    }
    return takenBySchema(text) ? text : wrong('is no name of a group', settings, tell)
  }
  switch (kind) {
    case 'ou':
      return ':ou:'
    case 'attribute':
    case 'filtered_attribute':
    case 'dn_attribute':
    case 'filtered_dn_attribute': {
      if (!takenBySchema(text))
        return wrong(`:${kind}: takes the name of one attribute, memberOf for one`, settings, tell)
      if (kind.endsWith('dn_attribute'))
        tell(
          'note',
          place,
          'takes of each DN the part that omero.ldap.group_mapping names, the one nearest to the group; OMERO took the one nearest to the root',
        )
      return text
    }
    case 'query': {
      const filter = parseFilter(value)
      if (filter.kind === 'mistake') return wrong(filterMistake(filter.message), settings, tell)
      if (wrongPlaceholders(filter).length > 0)
        return wrong('has a placeholder that holds no name of an attribute', settings, tell)
      return text
    }
    case 'bean':
      tell(
        'decide',
        place,
        'names a bean of Spring, which is Java in OMERO and cannot be taken. Here it is a function that a JavaScript module exports: newUserGroup: ":bean:FILE.mjs#EXPORT"',
      )
      return undefined
    default:
      return wrong(`begins with a kind that OMERO does not have; known are ${known}`, settings, tell)
  }
}

const spec = groupSpec(fileScalars(path => path))
const takenBySchema = (text: string): boolean => spec.safeParse(text).success

function wrong(message: string, settings: OmeroSettings, tell: Tell): undefined {
  tell('problem', settings.place(key), message)
}

/** Whoever owns too few groups opens nothing, so a wrong one is only left out. */
function ownerIn(settings: OmeroSettings, spec: string | undefined, tell: Tell): DraftValue | undefined {
  const text = spelled(settings, owner, tell)
  if (text === undefined || text === '') return undefined
  const place = settings.place(owner)
  if (spec !== undefined && !spec.startsWith(':query:')) {
    tell('note', place, 'is used with :query: only, and left out')
    return undefined
  }
  const filter = parseFilter(text)
  if (filter.kind === 'mistake' || wrongPlaceholders(filter).length > 0) {
    const why = filter.kind === 'mistake' ? filterMistake(filter.message) : 'has a placeholder without a name'
    tell('problem', place, why)
    return undefined
  }
  return remarked(text, owner)
}
