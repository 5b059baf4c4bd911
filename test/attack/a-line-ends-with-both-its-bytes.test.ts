// H04: a line ends with CR and LF, and with nothing less. Source: RFC 9112 2.2.
import t from 'tap'
import { startApp } from '../behaviour/app.ts'
import { refusedWhole } from './refused-whole.ts'

const app = await startApp(t)
const host = `Host: localhost:${app.gateway.port}`
const smuggled = `GET /smuggled HTTP/1.1\r\n${host}\r\n\r\n`

t.test('H04: bare LF ends no line (CVE-2023-30589)', async t => {
  await refusedWhole(t, app, {
    everywhere: `GET /x HTTP/1.1\n${host}\n\n`,
    'behind the request line': `GET /x HTTP/1.1\n${host}\r\n\r\n`,
    'behind a header': `GET /x HTTP/1.1\r\n${host}\nX: y\r\n\r\n`,
    'behind the last header': `GET /x HTTP/1.1\r\n${host}\n\r\n`,
    'for the empty line': `GET /x HTTP/1.1\r\n${host}\r\n\n`,
    'before a length': `POST /x HTTP/1.1\r\n${host}\r\nX: y\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    'before a coding': `POST /x HTTP/1.1\r\n${host}\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'and a head within': `GET /x HTTP/1.1\r\n${host}\r\nX: y\n\n${smuggled}`,
    'behind a chunk size': `POST /x HTTP/1.1\r\n${host}\r\nX: y\n\r\n5\nhello\n0\n\n`,
  })
})

t.test('H04: bare CR ends no line (CVE-2023-30589)', async t => {
  await refusedWhole(t, app, {
    everywhere: `GET /x HTTP/1.1\r${host}\r\r${'\n'}`,
    'behind the request line': `GET /x HTTP/1.1\r${host}\r\n\r\n`,
    'behind a header': `GET /x HTTP/1.1\r\n${host}\rX: y\r\n\r\n`,
    'between two headers': `GET /x HTTP/1.1\r\n${host}\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n`,
    twice: `GET /x HTTP/1.1\r\n${host}\r\nX: y\r\r\n\r\n`,
    'for the empty line': `GET /x HTTP/1.1\r\n${host}\r\n\r${smuggled}`,
    'in a name': `GET /x HTTP/1.1\r\n${host}\r\nX\rY: z\r\n\r\n`,
    'at the start of a value': `GET /x HTTP/1.1\r\n${host}\r\nX:\ry\r\n\r\n`,
    'in the target': `GET /x\r HTTP/1.1\r\n${host}\r\n\r\n`,
    'in the version': `GET /x HTTP/1.1\r \r\n${host}\r\n\r\n`,
  })
})

t.test('H04: what only looks like the end of a line is none', async t => {
  await refusedWhole(t, app, {
    'LF before CR': `GET /x HTTP/1.1\n\r${host}\n\r\n\r`,
    'a NUL': `GET /x HTTP/1.1\r\n${host}\r\nX: y\0\r\nZ: z\r\n\r\n`,
    'a vertical tab': `GET /x HTTP/1.1\x0b${host}\r\n\r\n`,
    'blanks before the name': `GET /x HTTP/1.1\r\n \r\n${host}\r\n\r\n`,
    'a header without a name': `GET /x HTTP/1.1\r\n${host}\r\n: y\r\n\r\n`,
    'a tab in the request line': `GET\t/x\tHTTP/1.1\r\n${host}\r\n\r\n`,
    'a blank behind the version': `GET /x HTTP/1.1 \r\n${host}\r\n\r\n`,
    'no version': `GET /x\r\n${host}\r\n\r\n`,
  })
})
