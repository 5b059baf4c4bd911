// Whatever hung on a connection over HTTP/2 can be collected once it has ended, and not only when it would have been idle for
// too long: who comes again and again would fill the memory.
import { once } from 'node:events'
import { connect, performServerHandshake } from 'node:http2'
import { PassThrough } from 'node:stream'
import { queryObjects } from 'node:v8'
import t from 'tap'
import { startApp, within } from './app.ts'

t.test('sessions go with their connections, whoever ends them', async t => {
  const probe = performServerHandshake(new PassThrough())
  const Session = probe.constructor as new () => unknown // the class is not exported
  probe.destroy()
  const count = () => Number(queryObjects(Session, { format: 'count' }))
  const { gateway } = await startApp(t, undefined, {})
  const few = count()
  const leave = [
    (session: ReturnType<typeof connect>) => session.close(),
    (session: ReturnType<typeof connect>) => session.destroy(),
  ]
  for (let n = 0; n < 40; n++) {
    const session = connect(gateway.url, { ca: gateway.authority.caPem })
    const stream = session.request({ ':path': '/' }).resume()
    await once(stream, 'end')
    if (n === 0) t.ok(count() > few, 'those that are open are seen')
    leave[n % leave.length]?.(session)
    await once(session, 'close')
  }
  t.ok(await within(10_000, () => count() <= few + 2), `${count()} sessions are held, ${few} before`)
})
