/**
 * The ledger for several gateways: what was issued and what was taken back stands in Redis, and every gateway has a copy of
 * what was taken back (redis/replica.ts).
 *
 * Two that revoke the same at one time revoke it once; no list number is given twice. Not to forget: while Redis is away the
 * last known state goes on to count, so nobody who was put out comes in again.
 *
 * Source: ledger.ts, whose rules these are.
 */
import { z } from 'zod'
import { Fault, ignoreFault } from '../kernel/fault.ts'
import { keyOf as hashOf, type Replica } from '../redis/replica.ts'
import { pairsIn } from '../redis/replies.ts'
import { type IssuedEntry, IssuedRecord, plainHex, plainSerial, revocationReasons, stateOf } from './issued-entry.ts'
import { keyOf, type Ledger, type Revocation } from './ledger.ts'
import { chooseForRevocation } from './revocation-choice.ts'

const Issued = IssuedRecord.extend({ authority: z.string() })
/** Read with care for the direction of failure: whatever stands there means revoked. */
const Taken = z.object({
  sha256: z.string().catch(''),
  at: z.string().catch(new Date(0).toISOString()),
  reason: z.enum(revocationReasons).catch('unspecified'),
})

export function openSharedLedger(replica: Replica): Ledger {
  const snapshot = new Map<string, Revocation>()
  const texts = new Map<string, string>()
  const lost = new Set<string>()
  let revision = 0
  let polled = 0
  replica.onChange('revoked', (key, text) => {
    // Nothing is ever taken back from the set. A Redis that has lost it is told anew by whoever remembers.
    if (text === undefined) {
      lost.add(key)
      return
    }
    lost.delete(key)
    texts.set(key, text)
    const { sha256, at, reason } = takenIn(text)
    const revocation = { at: new Date(at), reason }
    snapshot.set(key, revocation)
    if (sha256 !== '') snapshot.set(plainHex(sha256), revocation)
    revision++
  })

  async function list(): Promise<IssuedEntry[]> {
    const issued = pairsIn(await replica.ask(['HGETALL', hashOf('issued')]))
    return [...issued]
      .map(([key, text]) => entryOf(text, replica.get('revoked', key)))
      .toSorted((a, b) => (a.when < b.when ? -1 : a.when > b.when ? 1 : a.serial < b.serial ? -1 : 1))
  }
  /** @returns false: somebody was faster */
  const take = ({ authority, serial, sha256 }: IssuedEntry, at: string, reason: string): Promise<boolean> =>
    replica.swap('revoked', keyOf(authority, serial), undefined, JSON.stringify({ sha256, at, reason }))

  return {
    async record({ authority, serial, ...rest }) {
      const key = keyOf(authority, serial)
      const text = JSON.stringify({ ...rest, authority: plainHex(authority), serial: plainSerial(serial) })
      if (await replica.swap('issued', key, undefined, text)) return
      const known = await replica.ask(['HGET', hashOf('issued'), key])
      if (typeof known !== 'string' || entryOf(known, undefined).sha256 !== rest.sha256) {
        const cause = new Error(`the serial ${serial} stands for another certificate already`)
        throw new Fault('state-unavailable', { cause, about: 'issued certificates' })
      }
    },
    list,
    async revoke(serialOrName, { at, reason = 'unspecified', authority }) {
      const all = await list()
      const ours = authority === undefined ? all : all.filter(entry => entry.authority === plainHex(authority))
      const entry = chooseForRevocation(ours, serialOrName, at)
      // Somebody was faster: chosen once more, and refused for that.
      if (!(await take(entry, at.toISOString(), reason)))
        chooseForRevocation([{ ...entry, revokedAt: at.toISOString() }], entry.serial, at)
      return [{ ...entry, revokedAt: at.toISOString(), reason }]
    },
    async revokeAllOf(name, { at, reason = 'unspecified' }) {
      const good = (await list()).filter(
        entry => entry.name === name && entry.kind === 'client' && stateOf(entry, at) === 'good',
      )
      const taken: IssuedEntry[] = []
      for (const entry of good)
        if (await take(entry, at.toISOString(), reason)) taken.push({ ...entry, revokedAt: at.toISOString(), reason })
      return taken
    },
    revoked: (authority, serial) => snapshot.get(keyOf(authority, serial)),
    revokedCertificate: sha256 => snapshot.get(plainHex(sha256)),
    revision: () => revision,
    poll() {
      for (const key of replica.downFor() === undefined ? lost : [])
        replica.swap('revoked', key, undefined, texts.get(key)).catch(ignoreFault)
      const changed = polled !== revision
      polled = revision
      return changed
    },
    nextListNumber: async authority =>
      Number(await replica.ask(['HINCRBY', hashOf('lists'), plainHex(authority), '1'])),
    [Symbol.dispose]: () => undefined,
  }
}

function takenIn(text: string): z.output<typeof Taken> {
  try {
    return Taken.parse(JSON.parse(text))
  } catch {
    return Taken.parse({})
  }
}

function entryOf(text: string, taken: string | undefined): IssuedEntry {
  let record: z.output<typeof Issued>
  try {
    record = Issued.parse(JSON.parse(text))
  } catch (cause) {
    throw new Fault('state-unavailable', { cause, about: 'a record of an issued certificate is damaged' })
  }
  if (taken === undefined) return record
  const { at, reason } = takenIn(taken)
  return { ...record, revokedAt: at, reason }
}
