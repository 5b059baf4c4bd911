/**
 * An ACME keystore as the gateway opens it: a real pebble, a real plain listener, a clock that can be moved.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { type Acme, openAcme } from '../../src/acme/acme.ts'
import { type Challenges, createChallenges } from '../../src/acme/challenges.ts'
import type { AcmeKeystoreSection } from '../../src/config/keystore.ts'
import type { Secret } from '../../src/kernel/secret.ts'
import { listenPlain } from '../../src/listener/plain-listener.ts'
import { type Pebble, type PebbleOptions, startPebble } from '../fixture/pebble.ts'

export interface Told {
  readonly level: string
  readonly message: string
  readonly cause?: string
}

export interface OpenOptions extends Partial<AcmeKeystoreSection> {
  readonly trusted?: readonly string[]
  readonly bindingKey?: Secret
}

export interface Ordering {
  readonly pebble: Pebble
  /** http://127.0.0.1:PORT of the plain listener. */
  readonly plain: string
  readonly challenges: Challenges
  /** Tokens that were asked for at the plain listener, as they came. */
  readonly asked: string[]
  /** Where account and certificates lie. */
  readonly dir: string
  /** Put in front of the real time. */
  move(milliseconds: number): void
  open(options?: OpenOptions): Opened
}

export interface Opened extends Acme {
  readonly told: Told[]
  /** How often a new certificate was announced. */
  readonly renewals: () => number
  /** What lies in the file. */
  pem(): string
  /** Resolves when the n-th certificate since opening has come. */
  came(n: number): Promise<void>
  close(): Promise<void>
}

/** Asks until it is so; the failure tells what was last known. */
export async function until(what: string, isSo: () => boolean, known: () => unknown): Promise<void> {
  for (const end = Date.now() + 15_000; Date.now() < end; await pause(10)) if (isSo()) return
  throw new Error(`waited in vain until ${what}: ${JSON.stringify(known(), undefined, 1)}`)
}

export async function startOrdering(t: Test, options: Omit<PebbleOptions, 'httpPort'> = {}): Promise<Ordering> {
  const asked: string[] = []
  const known = createChallenges()
  const challenges: Challenges = {
    ...known,
    answer(token) {
      const answer = known.answer(token)
      if (answer !== undefined) asked.push(token)
      return answer
    },
  }
  const bind = [{ host: '127.0.0.1', port: 0 }]
  const target = { publicOrigin: undefined, port: 8443 }
  const bound = await listenPlain('plain', { kind: 'plain', bind, redirect: 'web' }, target, challenges.answer)
  t.teardown(() => bound[Symbol.asyncDispose]())
  const plain = bound.urls[0] ?? ''
  const pebble = await startPebble(t, { ...options, httpPort: Number(new URL(plain).port) })
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-acme-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))

  let ahead = 0
  return {
    pebble,
    plain,
    challenges,
    asked,
    dir,
    move(milliseconds) {
      ahead += milliseconds
    },
    open({ trusted = pebble.ca, bindingKey, ...section } = {}) {
      const told: Told[] = []
      let renewals = 0
      const acme = openAcme(
        {
          kind: 'acme',
          directory: pebble.directory,
          email: 'pacs@example.org',
          names: ['pacs.example.org'],
          ca: undefined,
          eab: undefined,
          ...section,
        },
        {
          dir,
          now: () => Date.now() + ahead,
          challenges,
          tell: (level, facts, message) => void told.push({ level, message, ...facts }),
          renewed: () => {
            renewals++
          },
          ca: trusted,
          bindingKey,
        },
      )
      let closing: Promise<void> | undefined
      const close = async () => {
        closing ??= Promise.resolve(acme[Symbol.asyncDispose]())
        await closing
      }
      t.teardown(close)
      return {
        file: acme.file,
        get state() {
          return acme.state
        },
        told,
        renewals: () => renewals,
        pem: () => readFileSync(acme.file, 'utf8'),
        came: n =>
          until(
            `certificate ${n} came`,
            () => renewals >= n,
            () => ({ told, log: pebble.log().slice(-3_000) }),
          ),
        close,
        [Symbol.asyncDispose]: close,
      }
    },
  }
}
