import t from 'tap'
import { Fault } from '../../src/kernel/fault.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { openDirectory } from '../../src/ldap/directory.ts'
import { bindResponse, message, octets, searchDone, searchEntry, tlv } from '../fixture/ldap-wire.ts'
import { startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { startRawDirectory } from './raw-directory.ts'
import { settingsOf } from './settings.ts'

const directoryAt = (url: string, written: Record<string, unknown> = {}) => {
  const settings = settingsOf({
    urls: [url],
    username: 'cn=reader',
    connectTimeout: '300 ms',
    readTimeout: '300 ms',
    ...written,
  })
  return openDirectory(settings, { password: new Secret('reader pass-word') })
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  try {
    await work
  } catch (cause) {
    if (cause instanceof Fault) return cause
    throw cause
  }
  throw new Error('nothing was thrown')
}

t.test('a directory that takes the connection and says nothing is a fault within the time', async t => {
  const { url } = await startRawDirectory(t)
  const started = Date.now()
  const fault = await faultOf(directoryAt(url).find('alice'))
  t.equal(fault.code, 'directory-unavailable')
  t.ok(Date.now() - started < 2_000)
})

t.test('a directory that says nothing on its TLS port is a fault within the time', async t => {
  const { url } = await startRawDirectory(t)
  const started = Date.now()
  t.equal((await faultOf(directoryAt(url.replace('ldap:', 'ldaps:')).probe())).code, 'directory-unavailable')
  t.ok(Date.now() - started < 2_000)
})

t.test('a directory that drips one byte after the other is a fault within the time', async t => {
  const { url } = await startRawDirectory(t, socket => {
    const bytes = Buffer.from([0x30, 0x84, 0, 0x20, 0, 0])
    let at = 0
    const timer = setInterval(() => socket.write(Buffer.of(bytes[at++] ?? 0x61)), 50)
    socket.on('close', () => clearInterval(timer))
  })
  t.equal((await faultOf(directoryAt(url).probe())).code, 'directory-unavailable')
})

t.test('a bind response without a result is a broken directory, not a success', async t => {
  const { url } = await startRawDirectory(t, socket => socket.write(Buffer.from([0x30, 5, 2, 1, 2, 0x61, 0])))
  const fault = await faultOf(directoryAt(url).probe())
  t.equal(fault.code, 'directory-unavailable')
})

t.test('an attribute whose length lies does not fill the memory', async t => {
  // An anonymous search, answered by an entry whose set of values claims to go on beyond the message.
  const attribute = [0x30, 5, 4, 1, 0x61, 0x31, 0x7f]
  const entry = [0x64, 2 + 2 + attribute.length, 4, 0, 0x30, attribute.length, ...attribute]
  const { url } = await startRawDirectory(t, socket =>
    socket.write(Buffer.from([0x30, 3 + entry.length, 2, 1, 2, ...entry])),
  )
  t.equal((await faultOf(directoryAt(url, { username: undefined }).find('alice'))).code, 'directory-unavailable')
})

t.test('three hundred thousand messages in one packet do not overflow the stack', async t => {
  const one = Buffer.from([0x30, 5, 2, 1, 99, 0x73, 0])
  const many = Buffer.concat(Array.from({ length: 300_000 }, () => one))
  const { url } = await startRawDirectory(t, socket => socket.write(many))
  t.equal((await faultOf(directoryAt(url, { readTimeout: '1 s' }).probe())).code, 'directory-unavailable')
})

t.test('an answer without end is cut', async t => {
  const { url } = await startRawDirectory(t, socket => {
    const letters = Buffer.alloc(60_000, 0x61)
    // One message of 2 GB, as fast as it is taken.
    socket.write(Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]))
    const more = () => {
      while (!socket.destroyed && socket.write(letters));
    }
    socket.on('drain', more)
    more()
  })
  const started = Date.now()
  const fault = await faultOf(directoryAt(url, { readTimeout: '5 s' }).probe())
  t.equal(fault.code, 'directory-unavailable')
  t.ok(Date.now() - started < 4_000, 'cut for its size, not at the end of the time')
})

t.test('a million empty values are not taken apart', async t => {
  const values = Buffer.alloc(2_000_000).fill(Buffer.of(4, 0))
  const { url } = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'search'
      ? message(id, tlv(0x64, octets('cn=a'), tlv(0x30, tlv(0x30, octets('cn'), tlv(0x31, values)))))
      : undefined,
  )
  const fault = await faultOf(directoryAt(url, { readTimeout: '5 s' }).find('alice'))
  t.equal(fault.code, 'directory-misconfigured')
  t.match(String(fault.cause), /more values at once than the gateway takes/)
})

t.test(
  'an entry without a name is not left out of an answer, and one with an attribute "dn" is not without',
  async t => {
    const directory = await startScriptedDirectory(t, ({ id, operation }) =>
      operation === 'search'
        ? Buffer.concat([
            searchEntry(id, 'cn=alice,dc=lab', { cn: ['alice'] }),
            searchEntry(id, '', { cn: ['alice'] }),
            searchDone(id),
          ])
        : undefined,
    )
    t.equal((await faultOf(directoryAt(directory.url).find('alice'))).code, 'directory-unavailable')
    directory.script = ({ id, operation }) =>
      operation === 'search'
        ? Buffer.concat([
            searchEntry(id, 'cn=alice,dc=lab', { cn: ['alice'], dn: ['cn=bob'] }),
            searchEntry(id, 'cn=alice,dc=b', { cn: ['alice'] }),
            searchDone(id),
          ])
        : undefined
    t.match(await directoryAt(directory.url).find('alice'), { kind: 'not-found', why: /several/ })
  },
)

t.test('what is no LDAP at all is a fault', async t => {
  const { url } = await startRawDirectory(t, socket => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
  t.equal((await faultOf(directoryAt(url).probe())).code, 'directory-unavailable')
})

t.test('a connection lost after the bind is not opened again', async t => {
  const raw = await startRawDirectory(t, socket => {
    socket.write(bindResponse(2))
    socket.end()
  })
  t.equal((await faultOf(directoryAt(raw.url).find('alice'))).code, 'directory-unavailable')
  t.equal(raw.connections, 1)
})

t.test('no fault carries a password', async t => {
  const { url } = await startRawDirectory(t, socket => socket.destroy())
  const fault = await faultOf(directoryAt(url).probe())
  t.notMatch(JSON.stringify([fault, String(fault.cause), fault.stack]), /pass-word/)
})
