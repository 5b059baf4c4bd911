/**
 * Looks once more at a server where a step failed: what it shows over TLS, and whether it would answer if it were spoken
 * to the other way round.
 *
 * It says nothing but what anybody may say: a handshake, or a question for the entry that every server shows of itself.
 * No name, and no password, of anybody is sent.
 *
 * Source: RFC 4512 5.1 (the root entry).
 */
import { ResultCodeError } from 'ldapts'
import { type Address, openConnection } from '../ldap/connection.ts'
import { inStep, type RunStep } from '../ldap/failure.ts'
import { openServers } from '../ldap/servers.ts'
import { requestTls } from '../ldap/start-tls.ts'
import { examinePeer, type PeerExamination } from '../tls/connect-peer.ts'
import { nobodyAsked, type PeerTrust, platformTrust } from '../tls/peer-trust.ts'
import { PeerRefusal } from '../tls/peer-verdict.ts'
import { type Diagnosis, isEncrypted, type Terms } from './diagnosis.ts'
import { rootRequest } from './root-entry.ts'
import { diagnose, type FailedStep, rootCause } from './step-causes.ts'
import { speaksPlain, speaksTls, untrusted } from './tls-causes.ts'

/** Milliseconds: whoever asks has waited already. */
const longest = 3_000

/** The diagnosis, after another look where that tells more. */
export async function closerLook(step: FailedStep, terms: Terms, trust: PeerTrust | undefined): Promise<Diagnosis> {
  const first = diagnose(step, terms)
  const cause = rootCause(step.failed)
  if (cause instanceof PeerRefusal) {
    const seen = await examine(terms, trust).catch(nothing)
    return (seen && untrusted(seen, terms)) ?? first
  }
  if (step.step === 'connect' || cause instanceof ResultCodeError || first.code === 'client-certificate') return first
  const { address, startTls } = terms
  if (address.secure) return step.step === 'tls' && (await answersPlain(address)) ? speaksPlain(address) : first
  const beforeTls = step.step === 'tls' || !startTls
  return beforeTls && (await answersTls(address)) ? speaksTls(address) : first
}

/** What it shows, and how it is judged. Rejects where there is no handshake. */
export async function examine(terms: Terms, trust: PeerTrust | undefined): Promise<PeerExamination> {
  const { address, connectTimeout } = terms
  if (!isEncrypted(terms)) throw new TypeError('there is no TLS to look at')
  const timeout = Math.min(longest, connectTimeout)
  const believed = trust ?? platformTrust()
  if (address.secure) return examinePeer(address, believed, { timeout })
  const socket = await openConnection(address, { startTls: false, trust: undefined, timeout }, silently)
  try {
    await requestTls(socket, timeout)
    return await examinePeer(address, believed, { timeout, over: socket })
  } finally {
    socket.destroy()
  }
}

const silently: RunStep = (step, _, work) => inStep(step, work)

/** An alert is an answer too. */
async function answersTls(address: Address): Promise<boolean> {
  const failed = await examinePeer(address, nobodyAsked(), { timeout: longest }).then(
    () => undefined,
    (cause: unknown) => cause, // the outcome is what was asked for
  )
  return failed === undefined || (failed instanceof Error && 'code' in failed && /ALERT/.test(String(failed.code)))
}

/** A refusal is an answer too. */
async function answersPlain(address: Address): Promise<boolean> {
  await using servers = openServers({
    ...{ addresses: [{ ...address, secure: false }], reader: undefined, trust: undefined, startTls: false },
    ...{ connectTimeout: longest, readTimeout: longest, referral: 'ignore' },
  })
  const failed = await servers.search(rootRequest).then(
    () => undefined,
    (cause: unknown) => cause, // the outcome is what was asked for
  )
  return failed === undefined || rootCause(failed) instanceof ResultCodeError
}

/** A closer look that fails says nothing; the step itself has said enough. A bug stays one. */
export function nothing(thrown: unknown): undefined {
  if (!(thrown instanceof Error) || thrown instanceof TypeError || thrown instanceof ReferenceError) throw thrown
  return undefined
}
