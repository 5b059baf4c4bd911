// D15: ldapts joins packets without limit, waits for ever by default, and counts its time anew for each packet.
import { once } from 'node:events'
import t from 'tap'
import type { Fault } from '../../src/kernel/fault.ts'
import * as wire from '../fixture/ldap-wire.ts'
import { type Line, silence, startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { forAll, forUid, milliseconds, type Opened, serversOn } from '../ldap/servers-lab.ts'

/** How a search ends, after how many ms, and how much more memory it needed in the meantime. */
async function searched(servers: Opened, request = forAll('groupOfNames')) {
  const before = process.memoryUsage()
  let most = 0
  const timer = setInterval(() => {
    const { heapUsed, external } = process.memoryUsage()
    most = Math.max(most, heapUsed + external - before.heapUsed - before.external)
  }, 10)
  let code = 'an answer'
  const time = await milliseconds(() =>
    servers.search(request).catch((fault: Fault) => {
      code = fault.code
    }),
  )
  clearInterval(timer)
  return { code, time, most }
}

/** Sends it for as long as somebody listens. */
async function endlessly({ socket }: Line, bytes: () => Buffer): Promise<Buffer> {
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  while (!socket.destroyed) if (!socket.write(bytes())) await Promise.race([once(socket, 'drain'), closed])
  return silence
}

const mb = 1024 * 1024

t.test('D15: entries without end are cut for their number, small or large', async t => {
  let entry = (id: number) => wire.searchEntry(id, 'cn=x', { cn: ['x'] })
  const directory = await startScriptedDirectory(t, ({ id, operation }, line) => {
    if (operation !== 'search') return undefined
    const many = Buffer.concat(Array.from({ length: 500 }, () => entry(id)))
    return endlessly(line, () => many)
  })
  const shapes: readonly ((id: number) => Buffer)[] = [
    entry,
    id => wire.searchReference(id, 'ldap://x/'),
    id => wire.searchEntry(id, 'cn=x', { cn: ['x'.repeat(20_000)] }),
  ]
  for (entry of shapes) {
    const servers = serversOn(t, [directory.url], { readTimeout: 20_000 })
    const { code, time, most } = await searched(servers)
    t.equal(code, 'directory-misconfigured')
    t.match(servers.state(), [{ failures: 0 }], 'it may be our question, so others go on asking there')
    t.ok(time < 10_000, `${time} ms, which is before the time is over`)
    t.ok(most < 200 * mb, `${most} bytes`)
  }
})

t.test('D15: one message of two gigabytes is refused when it is announced', async t => {
  const directory = await startScriptedDirectory(t, ({ operation }, line) => {
    if (operation !== 'search') return undefined
    line.socket.write(Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]))
    return silence
  })
  const { code, time } = await searched(serversOn(t, [directory.url], { readTimeout: 20_000 }))
  t.equal(code, 'directory-misconfigured')
  t.ok(time < 2_000, `${time} ms`)
})

t.test('D15: an answer that drips is cut when its time is over, however alive it looks', async t => {
  const directory = await startScriptedDirectory(t, async ({ id, operation }, line) => {
    if (operation !== 'search') return undefined
    await line.drip(Buffer.concat(Array.from({ length: 100 }, () => wire.searchEntry(id, 'cn=x', { cn: ['x'] }))), 5)
    return silence
  })
  const { code, time } = await searched(serversOn(t, [directory.url], { readTimeout: 400 }))
  t.equal(code, 'directory-unavailable')
  t.ok(time >= 390 && time < 1_500, `${time} ms`)
})

t.test('D15: pages without end are cut when the time of the whole search is over', async t => {
  let pages = 0
  const directory = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'search' ? wire.searchDone(id, { controls: [wire.pagedResults(`page ${++pages}`)] }) : undefined,
  )
  const { code, time } = await searched(serversOn(t, [directory.url], { readTimeout: 400 }))
  t.equal(code, 'directory-unavailable')
  t.ok(time >= 390 && time < 1_500, `${time} ms`)
  t.ok(pages > 3, 'each of them in time')
})

t.test('D15: a hundred thousand pieces of one large message cost no more than their bytes', async t => {
  const large = (id: number) =>
    Buffer.concat([wire.searchEntry(id, 'cn=x', { cn: ['x'.repeat(3 * mb)] }), wire.searchDone(id)])
  const directory = await startScriptedDirectory(t, async ({ id, operation }, line) => {
    if (operation !== 'search') return undefined
    const bytes = large(id)
    for (let at = 0; at < bytes.length && !line.socket.destroyed; at += 2_000) {
      line.socket.write(bytes.subarray(at, at + 2_000))
      await new Promise(resolve => setImmediate(resolve))
    }
    return silence
  })
  const cpu = process.cpuUsage()
  const { code } = await searched(serversOn(t, [directory.url], { readTimeout: 20_000 }))
  t.equal(code, 'an answer')
  t.ok(process.cpuUsage(cpu).user < 5_000_000)
})

t.test('D15: whatever byte of an answer is changed, there is an answer or a fault, in time', async t => {
  const whole = Buffer.concat([
    wire.searchEntry(3, 'uid=a,dc=x', { uid: ['a'], mail: ['a@x', 'b@x'] }),
    wire.searchReference(3, 'ldap://x/'),
    wire.searchDone(3, { controls: [wire.pagedResults('')] }),
  ])
  let at = 0
  let value = 0
  const directory = await startScriptedDirectory(t, ({ operation }) => {
    if (operation !== 'search') return undefined
    const changed = Buffer.from(whole)
    changed[at] = value
    return changed
  })
  const ends = new Map<string, number>()
  for (at = 0; at < whole.length; at++) {
    for (value of [0x00, 0x30, 0x7f, 0x80, 0x84, 0xff]) {
      const servers = serversOn(t, [directory.url], { readTimeout: 60 })
      const { code, time } = await searched(servers, forUid('a'))
      await servers[Symbol.asyncDispose]()
      ends.set(code, (ends.get(code) ?? 0) + 1)
      if (time > 1_000) t.fail(`byte ${at} as ${value}: ${time} ms`)
    }
  }
  t.ok(
    [...ends.keys()].every(end => end === 'an answer' || end.startsWith('directory-')),
    [...ends].join('; '),
  )
})

t.test('D15: garbage behind an answer ends the connection, and nobody is given it', async t => {
  const directory = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'search' ? Buffer.concat([wire.searchDone(id), Buffer.from('garbage')]) : undefined,
  )
  const servers = serversOn(t, [directory.url])
  for (let nth = 0; nth < 3; nth++) t.same(await servers.search(forUid('a')), [])
  t.equal(directory.connections, 3)
})
