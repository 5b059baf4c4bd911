// The proxy breaks the way to a directory as told, while it runs, and shows every byte that came.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import t from 'tap'
import { startDirectoryProxy } from '../fixture/directory-proxy.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'

const run = promisify(execFile)

/** A target that answers each word with `answer`. */
const echo = async (t: Parameters<typeof startTcpUpstream>[0], answer = 'the answer') => {
  const { port } = await startTcpUpstream(t, {
    onConnection: socket => void socket.on('data', () => socket.write(answer)).on('end', () => socket.end()),
  })
  return `ldap://127.0.0.1:${port}`
}

/** What comes for one request until nothing more does: the end, an error, or half a second of silence. */
async function ask(port: number, request = 'request'): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  let ended = 'silence'
  socket.on('error', fault => {
    ended = 'code' in fault ? String(fault.code) : fault.message
  })
  socket.on('end', () => {
    ended = 'end'
  })
  socket.setTimeout(400, () => socket.destroy())
  socket.write(request)
  const came: Buffer[] = []
  socket.on('data', chunk => came.push(chunk))
  await once(socket, 'close').catch(() => undefined)
  return `${Buffer.concat(came)}|${ended}`
}

t.test('a real directory answers through it, goes away and comes back on the same port', async t => {
  if (!requireReal(t, slapdTools)) return
  const slapd = await startSlapd(t)
  const proxy = await startDirectoryProxy(t, slapd.url)
  const { dn, password } = slapd.people.alice
  const whoami = () => run('ldapwhoami', ['-x', '-H', proxy.url, '-D', dn, '-w', password])
  t.match(await whoami(), { stdout: `dn:${dn}` })
  t.equal(proxy.connections, 1)
  t.ok(proxy.passed[0]?.request().includes(password), 'the bytes of the one who asks')
  t.ok(proxy.passed[0]?.answer().includes(`dn:${dn}`), 'and those of the directory')
  await proxy.switchTo('refuse')
  await t.rejects(whoami(), /Can't contact LDAP server/)
  await proxy.switchTo('pass')
  await whoami()
  t.equal(proxy.connections, 2, 'refused ones do not count')
})

t.test('each way is what it says', async t => {
  const proxy = await startDirectoryProxy(t, await echo(t))
  const by = async (way: Parameters<typeof proxy.switchTo>[0]) => {
    await proxy.switchTo(way)
    return ask(proxy.port)
  }
  t.equal(await by('pass'), 'the answer|silence')
  t.equal(await by('refuse'), '|ECONNREFUSED')
  t.equal(await by('silent'), '|silence')
  t.equal(proxy.passed.at(-1)?.answer().length, 0, 'the directory was not asked')
  t.equal(await by('half-open'), '|silence')
  t.equal(`${proxy.passed.at(-1)?.answer()}`, 'the answer', 'the directory did answer')
  t.equal(await by({ cut: 3 }), 'the|end')
  t.equal(await by({ cut: 3, reset: true }).then(ended => ended.split('|')[1]), 'ECONNRESET')
  t.equal(await by({ cut: 'middle' }), 'the a|end')
  t.equal(await by({ cut: 100 }), 'the answer|silence')
  const started = Date.now()
  t.equal(await by({ slow: 30, bytes: 1 }), 'the answer|silence')
  t.ok(Date.now() - started > 300, 'a byte after the other')
})

t.test('a way counts for connections that are open', async t => {
  const proxy = await startDirectoryProxy(t, await echo(t), { way: 'silent' })
  const socket = connect({ port: proxy.port, host: '127.0.0.1' })
  t.teardown(() => socket.destroy())
  socket.write('lost')
  while (proxy.passed[0]?.request().length !== 4) await new Promise(setImmediate)
  await proxy.switchTo('pass')
  socket.write('found')
  t.equal(`${(await once(socket, 'data'))[0]}`, 'the answer')
  await proxy.switchTo('refuse')
  t.equal(await text(socket), '')
  t.equal(proxy.passed[0]?.closed, true)
})

t.test('bytes are rewritten on the way, in one piece with what was there', async t => {
  const proxy = await startDirectoryProxy(t, await echo(t), {
    rewrite: (chunk, direction) => (direction === 'answer' ? Buffer.concat([chunk, Buffer.from(', forged')]) : chunk),
  })
  t.equal(await ask(proxy.port), 'the answer, forged|silence')
  t.equal(`${proxy.passed[0]?.answer()}`, 'the answer', 'what is kept is what came')
  proxy.rewrite = undefined
  t.equal(await ask(proxy.port), 'the answer|silence')
})
