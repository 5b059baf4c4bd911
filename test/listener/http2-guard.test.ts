// Bytes that carry nothing are counted against a connection, and what time has paid for is not counted again.
import t from 'tap'
import { Account, createGuard } from '../../src/listener/http2-guard.ts'

const megabyte = 1024 * 1024
const start = () => {
  using guard = createGuard()
  const socket = { bytesRead: 0 }
  return { socket, account: new Account(socket, guard.budget('192.0.2.1'), 200, 0) }
}

t.test('after a night of pings, an upload that is refused is no flood', async t => {
  const { socket, account } = start()
  let now = 0
  const endings = new Set<string | undefined>()
  const comes = (bytes: number, milliseconds: number) => {
    now += milliseconds
    socket.bytesRead += bytes
    endings.add(account.look(now))
  }
  for (let second = 0; second < 12 * 3_600; second++) comes(17, 1_000)
  account.unwanted(2 * megabyte, now)
  for (let came = 0; came < 2 * megabyte; came += 64 * 1024) comes(64 * 1024, 5)
  t.same([...endings], [undefined])
})

t.test('bytes that are accounted for late are given back, and all others add up', async t => {
  const { socket, account } = start()
  const endings: (string | undefined)[] = []
  for (let at = 0; at < 10; at++) {
    socket.bytesRead += 100_000
    endings.push(account.look(0))
    account.ended({ came: 100_000 / (1 + 1 / 8), at: -1 })
    socket.bytesRead++
    endings.push(account.look(0))
  }
  t.same(new Set(endings), new Set([undefined]))
  socket.bytesRead += 132_000
  t.equal(account.look(0), 'frames that carry nothing')
})
