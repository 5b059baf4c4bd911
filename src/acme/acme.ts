/**
 * Keeps one keystore supplied by an ACME authority: orders when there is none, renews in time, and never gives up.
 *
 * It serves no certificate: it writes the file and says that it did. Not to forget: whatever fails here, the certificate
 * that is in use stays in use; trouble is told, and tried again.
 *
 * Source: RFC 8555.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { AcmeKeystoreSection } from '../config/keystore.ts'
import { causeLine } from '../kernel/fault.ts'
import type { Secret } from '../kernel/secret.ts'
import type { Keystore } from '../tls/keystore.ts'
import { enterAccount } from './account.ts'
import { openAuthority } from './authority-client.ts'
import { makeCertificateRequest } from './certificate-request.ts'
import { type LastTry, openCertificateStore } from './certificate-store.ts'
import type { Challenges } from './challenges.ts'
import { AcmeFailure } from './failure.ts'
import { orderCertificate } from './order.ts'
import { type Lifetime, pulse, renewalTime, restAfterSuccess, retryDelay, waitAfterRestart } from './schedule.ts'

export interface AcmeParts {
  /** Below the state of the gateway, for all that concerns ACME. */
  readonly dir: string
  readonly now: () => number
  readonly challenges: Pick<Challenges, 'set' | 'delete'>
  readonly tell: (level: 'info' | 'warn' | 'error', facts: object, message: string) => void
  /** A new certificate lies in `file`. */
  readonly renewed: () => void
  /** PEM of whom to believe that the directory is the authority's; undefined: those whom the platform knows. */
  readonly ca?: readonly string[] | undefined
  /** What `eab.key` names. */
  readonly bindingKey?: Secret | undefined
}

export interface AcmeState {
  readonly names: readonly string[]
  /** End of the certificate in use, milliseconds since 1970; undefined while there is none. */
  readonly notAfter: number | undefined
  /** When the next order is due; now or in the past while one is under way. */
  readonly nextTry: number
  /** Undefined once an order went well. */
  readonly lastProblem: { readonly at: number; readonly message: string } | undefined
}

/** Disposing it abandons what is under way; the next start orders anew. */
export interface Acme extends AsyncDisposable {
  readonly file: string
  readonly state: AcmeState
  /** Never rejects. */
  [Symbol.asyncDispose](): Promise<void>
}

/** For a whole order. Authorities answer in seconds, or are in trouble of their own. */
const patience = 10 * 60_000

export function openAcme(section: AcmeKeystoreSection, parts: AcmeParts): Acme {
  const { now, challenges, tell } = parts
  const store = openCertificateStore(section, parts.dir)
  const stopping = new AbortController()
  const about = { authority: section.directory.host, names: section.names }
  let held = store.read(now())
  let wanted = held !== undefined && store.isWanted(held)
  /** Undefined once an order went well. */
  let lastTry = store.lastTry()
  let trying = false
  let lastProblem: AcmeState['lastProblem']
  /** No order before this, whatever is due. */
  let rest = restAfter(lastTry)

  const beRested = (length: number) => {
    rest = { until: now() + length, length }
  }

  const nextTry = (): number => {
    // A clock that was set back must not make a rest of minutes one of years.
    if (rest.until - now() > rest.length) beRested(rest.length)
    return Math.max(wanted && held !== undefined ? renewalTime(lifetimeOf(held), spreadOf(held)) : now(), rest.until)
  }

  const attempt = async (): Promise<Keystore> => {
    const enough = Math.min(patience, Math.floor((lengthOf(held) ?? patience * 3) / 3))
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(enough)])
    const accountKey = await store.accountKey()
    const { der, keyPem } = await makeCertificateRequest(section.names)
    await using authority = await openAuthority({ ...section, ca: parts.ca, key: accountKey, signal })
    await enterAccount(authority, accountKey, section, parts.bindingKey)
    const chain = await orderCertificate(authority, { ...section, request: der, accountKey, challenges, signal })
    // Whoever follows us at this place must not find our certificate over theirs.
    signal.throwIfAborted()
    return store.put(chain, keyPem, now())
  }

  const succeed = (keystore: Keystore) => {
    held = keystore
    wanted = true
    lastTry = undefined
    store.noteTry(undefined)
    lastProblem = undefined
    beRested(restAfterSuccess(lengthOf(keystore) ?? 0))
    const { validFrom, validTo } = keystore.certificate
    tell('info', { ...about, validFrom, validTo, file: store.file }, 'a new certificate has come')
    const due = renewalTime(lifetimeOf(keystore), spreadOf(keystore)) <= now()
    if (due)
      tell('warn', { ...about, validFrom, validTo }, 'this certificate is due for renewal already: check the clock')
    parts.renewed()
  }

  /** What is to be remembered if the order that is under way fails like this. */
  const failedTry = ({ kind, retryAfter }: Pick<AcmeFailure, 'kind' | 'retryAfter'>): LastTry => {
    const failures = (lastTry?.failures ?? 0) + 1
    const left = held && lifetimeOf(held).to - now()
    const terms = { kind, failures, retryAfter, lifetime: lengthOf(held), left, spread: Math.random() }
    return { at: now(), failures, wait: Math.ceil(retryDelay(terms)) }
  }

  const fail = (cause: unknown) => {
    const failure = cause instanceof AcmeFailure ? cause : new AcmeFailure('refused', '')
    lastTry = failedTry(failure)
    store.noteTry(lastTry)
    rest = { until: lastTry.at + lastTry.wait, length: lastTry.wait }
    const message = causeLine(cause)
    lastProblem = { at: now(), message }
    const left = held === undefined ? 0 : lifetimeOf(held).to - now()
    // A third is left when renewing begins: half of that has gone by without success.
    const urgent = left < (lengthOf(held) ?? 0) / 6 || held === undefined
    tell(
      urgent ? 'error' : 'warn',
      { ...about, cause: message, nextTry: new Date(rest.until).toISOString(), validTo: held?.certificate.validTo },
      held === undefined
        ? 'there is no certificate yet: the ACME order failed, and is tried again'
        : 'the certificate was not renewed: the ACME order failed, and is tried again',
    )
  }

  const run = async () => {
    while (!stopping.signal.aborted) {
      if (nextTry() <= now()) {
        try {
          trying = true
          // Before it, for whoever is killed in the middle: each start would order again.
          store.noteTry(failedTry({ kind: 'refused', retryAfter: 0 }))
          succeed(await attempt())
        } catch (cause) {
          // Everything, bugs of ours too: a gateway that ends because it cannot renew helps nobody.
          if (!stopping.signal.aborted) fail(cause)
        } finally {
          trying = false
        }
        continue
      }
      const wait = Math.min(nextTry() - now(), pulse(lengthOf(held)))
      await pause(Math.max(wait, 10), undefined, { signal: stopping.signal, ref: false }).catch(() => undefined)
    }
  }
  if (rest.until > now() && nextTry() <= rest.until) {
    const until = new Date(rest.until).toISOString()
    tell(
      'warn',
      { ...about, nextTry: until },
      'the last ACME order did not succeed: the next one waits, restart or not',
    )
  }
  const running = run()

  return {
    file: store.file,
    get state() {
      return { names: section.names, notAfter: held && lifetimeOf(held).to, nextTry: nextTry(), lastProblem }
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      // A stop is no failure. At once, for whoever follows us at this place reads it.
      if (trying) store.noteTry(lastTry)
      await running
    },
  }
}

const lifetimeOf = ({ certificate }: Keystore): Lifetime => ({
  from: certificate.validFromDate.getTime(),
  to: certificate.validToDate.getTime(),
})

const lengthOf = (keystore: Keystore | undefined): number | undefined =>
  keystore === undefined ? undefined : lifetimeOf(keystore).to - lifetimeOf(keystore).from

/** Taken from the certificate, so that a restart does not throw the dice again. */
const spreadOf = ({ certificate }: Keystore): number =>
  Number.parseInt(certificate.fingerprint256.slice(0, 2), 16) / 255

const restAfter = (last: LastTry | undefined): { until: number; length: number } => {
  const length = waitAfterRestart(last?.wait ?? 0)
  return { until: (last?.at ?? 0) + length, length }
}
