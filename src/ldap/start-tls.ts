/**
 * Asks a directory for TLS on a connection that is still in clear. The handshake itself is made elsewhere.
 *
 * Done by ourselves and on the bare socket, because ldapts 9.2.0 keeps bytes from before the handshake and takes them for
 * the beginning of the first protected answer: somebody on the way could put a successful bind there.
 *
 * Not to forget: nothing of what comes here is protected. One answer, to the byte, and only a success of it, lets us go
 * on; after anything else the connection must be destroyed, and never used in clear.
 *
 * Source: RFC 4511 4.14; RFC 4513 3.1.1; CVE-2011-0411 and its kin (nostarttls.secvuln.info).
 */
import type { Socket } from 'node:net'
import { ExtendedRequest } from 'ldapts'
import { messageEnd } from './message-shape.ts'
import { readResponse, resultError } from './response.ts'

const oid = '1.3.6.1.4.1.1466.20037'
const messageId = 1
/** Bytes. An answer has forty, and the words of a refusal. */
const most = 4096

/**
 * Resolves at the last byte of the answer: the handshake must begin before the next event, so that nothing is read in
 * between. Rejects with a ResultCodeError when the directory refuses; the caller destroys the socket.
 */
export async function requestTls(socket: Socket, timeout: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let came = Buffer.alloc(0)
  const read = (chunk: Buffer) => {
    came = Buffer.concat([came, chunk])
    try {
      if (isAnswer(came)) resolve()
    } catch (cause) {
      reject(cause) // from an event nobody would catch it
    }
  }
  const lost = () => reject(socket.errored ?? new Error('the connection was closed before TLS was agreed on'))
  const timer = setTimeout(() => reject(new Error(`no answer to StartTLS within ${Math.round(timeout)} ms`)), timeout)
  socket.on('data', read).once('end', lost).once('close', lost)
  socket.write(new ExtendedRequest({ messageId, oid }).write())
  try {
    await promise
  } finally {
    clearTimeout(timer)
    socket.off('data', read).off('end', lost).off('close', lost).pause()
  }
  if (socket.readableLength > 0) throw new Error(forged)
}

const forged = 'the directory, or somebody on the way, sent more in clear than the answer to StartTLS'

/** True: whole and a success. Throws on anything that can no longer become that. */
function isAnswer(came: Buffer): boolean {
  const end = messageEnd(came)
  if (end === null || came.length > most || (end ?? 0) > most)
    throw new Error('the directory sent what is no answer to StartTLS')
  if (end === undefined || came.length < end) return false
  if (came.length > end) throw new Error(forged)
  const response = readResponse(came)
  if (response?.kind !== 'extended' || response.id !== messageId)
    throw new Error('the directory sent what is no answer to StartTLS')
  if (response.result.code !== 0) throw resultError(response.result)
  return true
}
