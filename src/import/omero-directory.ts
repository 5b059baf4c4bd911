/**
 * omero.ldap.* as `realms.directory`, which has the same names, meanings and defaults: only what differs is written.
 *
 * Not to forget: a default in the place of what could not be read may let other people in. So whatever is unclear about
 * who gets in, and into which group, leaves the directory off (`enabled: false`) until a person has decided.
 *
 * Source: omero-server.properties (names and defaults), seed "LDAP authentication" of the OMERO manual.
 */
import { parseDn, sameDn } from '../ldap/dn.ts'
import { quoted, type Tell } from './decision.ts'
import { type DraftMap, type DraftValue, remarked } from './draft.ts'
import { drawGroups } from './omero-groups.ts'
import { elsewhere, type OmeroSettings } from './omero-property.ts'
import { filterIn, mappingIn, spanIn, spelled } from './omero-text.ts'
import { drawServers } from './omero-urls.ts'

const name = (last: string) => `omero.ldap.${last}`

const userMapping = {
  key: name('user_mapping'),
  absent: 'omeName=cn,firstName=givenName,lastName=sn,email=mail,institution=department,middleName=middleName',
  needed: 'omeName',
  known: ['omeName', 'firstName', 'middleName', 'lastName', 'email', 'institution'],
}

const groupMapping = { key: name('group_mapping'), absent: 'name=cn', needed: 'name', known: ['name'] }

/** Each of them says who gets in, or into what. */
const decisive = [
  'urls',
  'username',
  'base',
  'user_filter',
  'user_mapping',
  'group_filter',
  'group_mapping',
  'new_user_group',
]

export interface Directory {
  readonly section: DraftMap
  readonly isOn: boolean
}

const withRemark = (value: string | undefined, option: string): DraftValue | undefined =>
  value === undefined ? undefined : remarked(value, option)

export function drawDirectory(settings: OmeroSettings, tell: Tell): Directory {
  const wanted = settings.flag(name('config'), false)
  const { urls, tls, root } = drawServers(settings, tell)
  const section: DraftMap = {
    urls,
    tls,
    ...readerIn(settings, tell),
    base: baseIn(settings, root, wanted, tell),
    userFilter: withRemark(filterIn(settings, name('user_filter'), '(objectClass=person)', tell), name('user_filter')),
    userMapping: withRemark(mappingIn(settings, userMapping, tell), userMapping.key),
    groupFilter: withRemark(
      filterIn(settings, name('group_filter'), '(objectClass=groupOfNames)', tell),
      name('group_filter'),
    ),
    groupMapping: withRemark(mappingIn(settings, groupMapping, tell), groupMapping.key),
    ...drawGroups(settings, tell),
    syncOnLogin: syncIn(settings, tell),
    referral: referralIn(settings, tell),
    connectTimeout: withRemark(spanIn(settings, name('connect_timeout'), 5000, tell), name('connect_timeout')),
    readTimeout: withRemark(spanIn(settings, name('read_timeout'), 5000, tell), name('read_timeout')),
  }
  const unclear = [...decisive.map(name), 'omero.security.password_provider', elsewhere].filter(option =>
    settings.isUnclear(option),
  )
  const isOn = wanted && unclear.length === 0
  return { section: { enabled: remarked(isOn, enabledWords(settings, { wanted, unclear }, tell)), ...section }, isOn }
}

/** @returns the remark beside `enabled` */
function enabledWords(
  settings: OmeroSettings,
  { wanted, unclear }: { wanted: boolean; unclear: readonly string[] },
  tell: Tell,
): string {
  const key = name('config')
  const place = settings.place(key)
  if (wanted && unclear.length > 0) {
    tell(
      'decide',
      place,
      `is true, and the draft says enabled: false: it cannot say who would get in by ${unclear.join(', ')}. Write what is meant, then enabled: true`,
    )
    return `${key} is true; off until it is decided what the list above says of ${unclear.join(', ')}`
  }
  if (wanted) {
    tell(
      'note',
      place,
      'people sign in at the gate by the same directory now. OMERO goes on asking it for its own login: its settings stay as they are',
    )
    return key
  }
  const state = settings.isUnclear(key)
    ? 'is not known'
    : settings.has(key)
      ? 'is false'
      : 'is not written, and false then'
  tell('note', place, `${state}: the draft says enabled: false`)
  return settings.has(key) ? key : `${key} ${state}`
}

/** Who searches. Nothing is known here of the password but whether there is one. */
function readerIn(settings: OmeroSettings, tell: Tell): DraftMap {
  const [user, secret] = [name('username'), name('password')]
  const username = spelled(settings, user, tell) ?? ''
  const state = settings.secret(secret)
  const place = settings.place(secret)
  if (username === '') {
    if (state === 'written' || state === 'masked')
      tell('note', place, 'is not used without omero.ldap.username, and left out: OMERO searches anonymously')
    return {}
  }
  const file = 'into secrets/ldap, one line, mode 0600'
  if (state === 'masked')
    tell(
      'decide',
      place,
      'is masked in there. Where OMERO runs: (umask 077; omero config get omero.ldap.password > ldap), and bring that file to secrets/ldap of the gateway',
    )
  else if (state === 'written') tell('decide', place, `is not copied: write it ${file}`)
  else
    tell(
      'decide',
      state === 'absent' ? settings.place(user) : place,
      `names a reader without a password, for whom a directory would search anonymously, and that is refused here: write the password ${file}, or take username and password out of the draft to search anonymously and knowingly`,
    )
  return { username: remarked(username, user), password: { file: remarked('secrets/ldap', secret) } }
}

function baseIn(
  settings: OmeroSettings,
  root: string | undefined,
  wanted: boolean,
  tell: Tell,
): DraftValue | undefined {
  const key = name('base')
  const text = spelled(settings, key, tell)
  if (!settings.has(key)) return baseOfAddresses(settings, root, wanted, tell)
  if (text === undefined) return undefined
  const place = settings.place(key)
  if (parseDn(text) === undefined) {
    settings.makeUnclear(key)
    tell('problem', place, 'is no name of an entry (DN), as ou=people,o=example is')
    return undefined
  }
  if (root !== undefined && !sameDn(root, text))
    tell(
      'decide',
      settings.place(name('urls')),
      `ends with a DN, which ${key} overrides in OMERO: only ${key} is in the draft, and is the whole path, not a part below that DN`,
    )
  if (text === '') tell('decide', place, 'is empty: whoever the directory has anywhere may sign in')
  return text === 'ou=example,o=com' ? undefined : remarked(text, key)
}

/** Where no base is written. */
function baseOfAddresses(
  settings: OmeroSettings,
  root: string | undefined,
  wanted: boolean,
  tell: Tell,
): DraftValue | undefined {
  const [key, urls] = [name('base'), name('urls')]
  if (root === undefined) {
    if (wanted)
      tell('decide', settings.place(key), 'is not written: OMERO searches ou=example,o=com then, and so does the draft')
    return undefined
  }
  if (parseDn(root) === undefined) {
    settings.makeUnclear(urls)
    tell('problem', settings.place(urls), 'ends with what is no name of an entry (DN), as ou=people,o=example is')
    return undefined
  }
  tell(
    'decide',
    settings.place(urls),
    `ends with a DN, which the draft takes for base, as ${key} is not written; OMERO itself searches ou=example,o=com then, whatever its addresses say`,
  )
  return remarked(root, `the DN behind ${urls}`)
}

function syncIn(settings: OmeroSettings, tell: Tell): DraftValue | undefined {
  const key = name('sync_on_login')
  if (settings.flag(key, false)) return remarked(true, key)
  const group = settings.text(name('new_user_group')) ?? ''
  if (group.startsWith(':'))
    tell(
      'decide',
      settings.place(key),
      'is not true: groups stay as they were at the first sign-in, also of those who leave one; syncOnLogin: true follows the directory',
    )
  return undefined
}

function referralIn(settings: OmeroSettings, tell: Tell): DraftValue | undefined {
  const key = name('referral')
  const text = settings.text(key) ?? 'ignore'
  if (text === 'ignore') return undefined
  if (text !== 'follow' && text !== 'throw') {
    tell('problem', settings.place(key), `must be ignore, follow or throw; ${quoted(text)} is none of them`)
    return undefined
  }
  if (text === 'follow')
    tell(
      'decide',
      settings.place(key),
      'is follow: the gateway follows to the hosts in urls only, so that the password of the reader goes to nobody else; add the others there',
    )
  return remarked(text, key)
}
