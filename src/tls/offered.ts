/**
 * Which suites OpenSSL really enables on given terms: read from the ClientHello that it would send on them.
 *
 * A cipher string is a program (HIGH, !DHE, @SECLEVEL), and Node has no call that shows what it comes to. The first
 * message of a handshake is exactly that list: level, versions and groups are applied, and nothing is in it that lacks
 * what it needs (keys agreed beforehand). It goes to nobody: no socket is opened, and it takes less than a millisecond.
 *
 * Source: RFC 5246 7.4.1.2, RFC 8446 4.1.2 (ClientHello).
 */
import { Duplex } from 'node:stream'
import { connect, createSecureContext, type SecureContextOptions } from 'node:tls'
import { suiteNumbered } from './suites.ts'

/** The names in order of preference; empty when OpenSSL would not even begin. Throws what OpenSSL says of the terms. */
export function offeredSuites(terms: SecureContextOptions): string[] {
  const written: Buffer[] = []
  const wire = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk)
      done()
    },
  })
  const socket = connect({ socket: wire, secureContext: createSecureContext(terms) })
  // Nobody answers: what becomes of this handshake is of no interest.
  socket.on('error', () => undefined)
  const hello = Buffer.concat(written)
  socket.destroy()
  wire.destroy()
  // A number without a name would be one that no rule of ours let in: it is shown, not hidden.
  return suiteCodes(hello)
    .filter(code => !signals.includes(code))
    .map(code => suiteNumbered(code)?.name ?? `0x${code.toString(16).padStart(4, '0')}`)
}

/** No suites: secure renegotiation is known, and this is a second try with an older version (RFC 5746, RFC 7507). */
const signals = [0x00ff, 0x5600]

/** @param hello  one TLS record with a whole ClientHello in it, of our own OpenSSL's making */
function suiteCodes(hello: Buffer): number[] {
  if (hello[0] !== 22) return [] // an alert: no version or no suite is left
  const session = 5 + 4 + 2 + 32 // record, message, version, random
  const start = session + 1 + hello.readUInt8(session) + 2
  const length = hello.readUInt16BE(start - 2)
  return Array.from({ length: length / 2 }, (_, at) => hello.readUInt16BE(start + 2 * at))
}
