import t from 'tap'
import { withoutHopByHop } from '../../src/forward/hop-by-hop.ts'

const names = (connection: string[], ...others: string[]) =>
  withoutHopByHop([
    ...connection.map(value => ['connection', value] as const),
    ...others.map(name => [name, 'x'] as const),
  ])
    .map(([name]) => name)
    .join(' ')

t.test('what belongs to one connection ends there', async t => {
  const fixed = [
    'keep-alive',
    'proxy-authenticate',
    'proxy-authorization',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'http2-settings',
  ]
  t.equal(names(['close'], ...fixed, 'accept'), 'accept')
})

t.test('so does what Connection names, in any spelling and over several lines', async t => {
  t.equal(names(['X-One, x-TWO ,', 'x-three'], 'x-one', 'x-two', 'x-three', 'x-four'), 'x-four')
})

t.test('the message itself cannot be named away', async t => {
  const essential =
    'host content-length content-type content-encoding cookie authorization set-cookie location cache-control'
  t.equal(names([essential.replaceAll(' ', ',')], ...essential.split(' ')), essential)
})

t.test('order and duplicates stay', async t => {
  t.same(
    withoutHopByHop([
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ]),
    [
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ],
  )
})
