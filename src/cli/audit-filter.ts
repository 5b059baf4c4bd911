/**
 * What `audit search` is asked for, read strictly: what cannot be meant is refused, and nothing is guessed.
 */
import { BlockList, isIP } from 'node:net'
import { foldName } from '../kernel/fold-name.ts'
import { eventWords, partOf, type Recorded, textOf } from './audit-text.ts'
import { plain } from './certs-text.ts'
import { CommandEnd } from './report.ts'

export interface FilterArguments {
  user?: string | undefined
  since?: string | undefined
  until?: string | undefined
  kind?: string | readonly string[] | undefined
  route?: string | undefined
  address?: string | undefined
  study?: string | undefined
  id?: string | undefined
}

export type Fits = (event: Recorded) => boolean

const units: Readonly<Record<string, number>> = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 }
const timeCure = 'write 2026-11-28, "2026-11-28 14:30" (here), 2026-11-28T14:30Z, or how long ago: 30 min, 8 h, 7 d'

/** Milliseconds. @throws CommandEnd 2 */
export function readMoment(option: string, text: string, now: number): number {
  const [, count = '', unit = ''] = /^(\d{1,6}) ?(s|min|h|d)$/.exec(text) ?? []
  if (unit !== '') return now - Number(count) * (units[unit] ?? 0)
  const form = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?) ?(Z|[+-]\d\d:\d\d)?)?$/.exec(text)
  const [, day = '', time = '00:00', zone = ''] = form ?? []
  const at = Date.parse(`${day}T${time}${zone}`)
  // The 30th of February would be read as the second of March.
  const exists = new Date(`${day}T00:00Z`).toJSON()?.startsWith(day) === true
  if (form === null || Number.isNaN(at) || !exists)
    throw new CommandEnd(2, `--${option}: "${plain(text)}" is no time`, timeCure)
  return at
}

function kindsOf(asked: FilterArguments['kind']): ReadonlySet<string> | undefined {
  const kinds = [asked ?? []].flat()
  for (const kind of kinds)
    if (!Object.hasOwn(eventWords, kind))
      throw new CommandEnd(
        2,
        `no event is of the kind "${plain(kind)}"`,
        `kinds: ${Object.keys(eventWords).join(', ')}`,
      )
  return kinds.length === 0 ? undefined : new Set(kinds)
}

function inRange(range: string): (address: string) => boolean {
  const [address = '', bits] = range.split('/')
  const family = isIP(address)
  const isRange = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  if (family === 0 || !isRange)
    throw new CommandEnd(2, `--address: "${plain(range)}" is no address`, 'write 10.1.2.3, 10.1.0.0/16 or fd00::/8')
  const list = new BlockList()
  list.addSubnet(address, Number(bits ?? (family === 4 ? 32 : 128)), family === 4 ? 'ipv4' : 'ipv6')
  return other => isIP(other) !== 0 && list.check(other, isIP(other) === 4 ? 'ipv4' : 'ipv6')
}

/** @throws CommandEnd 2 */
export function createFilter(asked: FilterArguments, now: number): Fits {
  const { user, route, study, id } = asked
  const name = user === undefined ? undefined : foldName(user)
  const since = asked.since === undefined ? undefined : readMoment('since', asked.since, now)
  const until = asked.until === undefined ? undefined : readMoment('until', asked.until, now)
  if (since !== undefined && until !== undefined && since >= until)
    throw new CommandEnd(2, '--since is not before --until: nothing can lie between them', timeCure)
  const kinds = kindsOf(asked.kind)
  const isFrom = asked.address === undefined ? undefined : inRange(asked.address)
  return event => {
    const time = since === undefined && until === undefined ? undefined : Date.parse(textOf(event['time']))
    if (
      time !== undefined &&
      !(time >= (since ?? Number.NEGATIVE_INFINITY) && time < (until ?? Number.POSITIVE_INFINITY))
    )
      return false
    if (kinds?.has(textOf(event['kind'])) === false) return false
    if (
      name !== undefined &&
      ![partOf(event, 'who')['name'], event['claimed']].some(one => foldName(textOf(one)) === name)
    )
      return false
    if (route !== undefined && partOf(event, 'where')['route'] !== route && event['stream'] !== route) return false
    if (isFrom?.(textOf(event['address'])) === false) return false
    if (study !== undefined && event['study'] !== study) return false
    return id === undefined || event['id'] === id
  }
}
