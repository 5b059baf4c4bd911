/**
 * What an A-ASSOCIATE-RQ says, and what is wrong with one. Source: DICOM PS3.8 7.1.1, 9.3.2, D.1; PS3.5 6.2.
 */
import t from 'tap'
import { longestAssociate, maximumLengthOfAccept, readAssociateRequest } from '../../src/stream/association.ts'
import { aborts, rejections } from '../../src/stream/refusal-pdu.ts'
import { accept, refusalIn, request } from './pdus.ts'

t.test('a request names who calls whom, and the longest PDU that it takes', async t => {
  const rows: [Parameters<typeof request>[0], object][] = [
    [{}, { calling: 'CT1', called: 'PACS', maximumLength: 16_384 }],
    [
      { calling: '  CT 1  ', called: ' A' },
      { calling: 'CT 1', called: 'A' },
    ],
    [{ calling: 'ABCDEFGHIJKLMNOP' }, { calling: 'ABCDEFGHIJKLMNOP' }],
    [{ maximumLength: 0 }, { maximumLength: 0 }],
    [{ maximumLength: 'none' }, { maximumLength: 0 }],
    [{ maximumLength: 0xffffffff }, { maximumLength: 0xffffffff }],
    [{ version: 3 }, { calling: 'CT1' }],
    [{ version: 0xffff }, { calling: 'CT1' }],
  ]
  for (const [fields, expected] of rows)
    t.match(readAssociateRequest(request(fields)), expected, JSON.stringify(fields))
})

t.test('a request that is none is refused for what is wrong with it', async t => {
  const bytes = (text: string) => Buffer.from(text.padEnd(16, ' '), 'latin1')
  const rows: [string, Parameters<typeof request>[0] | Buffer, string][] = [
    ['version 0', { version: 0 }, 'version'],
    ['version 2 without 1', { version: 2 }, 'version'],
    ['nobody called', { called: '' }, 'called-title'],
    ['nobody calling', { calling: '' }, 'calling-title'],
    ['NUL for a space', { calling: bytes('CT1\0') }, 'calling-title'],
    ['a title behind a NUL', { calling: bytes('CT1\0CT2') }, 'calling-title'],
    ['a line end', { calling: bytes('CT1\n') }, 'calling-title'],
    ['an escape', { calling: bytes('\x1b[2J') }, 'calling-title'],
    ['a backslash', { calling: 'CT1\\CT2' }, 'calling-title'],
    ['a tab', { called: 'PACS\t' }, 'called-title'],
    ['no ASCII', { calling: bytes('M\xfcnchen') }, 'calling-title'],
    ['DEL', { called: bytes('PACS\x7f') }, 'called-title'],
    ['an item that is longer than the rest', { tail: Buffer.from([0x50, 0, 0, 9, 1]) }, 'malformed'],
    ['half the head of an item', { tail: Buffer.from([0x20, 0, 0]) }, 'malformed'],
    ['a maximum length of two bytes', { tail: Buffer.from([0x50, 0, 0, 6, 0x51, 0, 0, 2, 1, 1]) }, 'malformed'],
    ['an item in the item that is too long', { tail: Buffer.from([0x50, 0, 0, 4, 0x51, 0, 0, 4]) }, 'malformed'],
    ['67 bytes', request().subarray(0, 6 + 67), 'malformed'],
  ]
  for (const [what, fields, problem] of rows) {
    const read = readAssociateRequest(Buffer.isBuffer(fields) ? fields : request(fields))
    t.match(read, { problem }, what)
    // What is logged of it holds nothing that a terminal would obey.
    t.match('detail' in read ? read.detail : '', /^[\x20-\x7e]+$/, what)
  }
})

t.test('what an acceptor takes is read from its answer, and what cannot be read limits nothing', async t => {
  t.equal(maximumLengthOfAccept(accept({ maximumLength: 131_072 })), 131_072)
  t.equal(maximumLengthOfAccept(accept({ maximumLength: 'none' })), 0)
  t.equal(maximumLengthOfAccept(accept({ tail: Buffer.from([1, 2, 3]) })), 0)
  t.equal(maximumLengthOfAccept(Buffer.alloc(10)), 0)
})

t.test('the longest request that a program could honestly make is taken', async t => {
  const contexts = 128 * (4 + 4 + (4 + 64) + 20 * (4 + 64))
  t.ok(contexts + 68 + 1024 < longestAssociate, `${contexts} bytes of presentation contexts`)
})

t.test('refusals are ten bytes, as the standard has them', async t => {
  t.same(Object.fromEntries(Object.entries(rejections).map(([name, bytes]) => [name, refusalIn(bytes)])), {
    'no-reason': '3 1 1 1',
    'calling-title': '3 1 1 3',
    'called-title': '3 1 1 7',
    version: '3 1 2 2',
    later: '3 2 3 1',
  })
  t.same(Object.fromEntries(Object.entries(aborts).map(([name, bytes]) => [name, refusalIn(bytes)])), {
    'no-reason': '7 2 0',
    unrecognized: '7 2 1',
    unexpected: '7 2 2',
    'invalid-value': '7 2 6',
  })
})
