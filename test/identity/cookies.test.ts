import t from 'tap'
import {
  clearCookie,
  cookieDigest,
  hasLoggedOutMark,
  ownCookies,
  readCookie,
  sessionCookie,
  setCookie,
  setLoggedOutMark,
} from '../../src/identity/cookies.ts'
import type { HeaderList } from '../../src/listener/exchange.ts'

const cookie = (...lines: string[]): HeaderList => lines.map(line => ['cookie', line] as const)

t.test('a cookie is found among others, in one line or in several', async t => {
  t.equal(readCookie(cookie('a=1; __Host-sallyport=abc; b=2'), sessionCookie), 'abc')
  t.equal(readCookie(cookie('a=1', '__Host-sallyport=abc', 'b=2'), sessionCookie), 'abc')
  t.equal(readCookie(cookie('__Host-sallyport=a=b'), sessionCookie), 'a=b')
  t.equal(readCookie(cookie('__Host-sallyport='), sessionCookie), '')
})

t.test('a cookie with nearly that name is another cookie', async t => {
  for (const name of [
    '__host-sallyport',
    'x__Host-sallyport',
    '__Host-sallyport-out',
    '__Host-sallyport ',
    '__proto__',
  ]) {
    t.equal(readCookie(cookie(`${name}x=1`), sessionCookie), undefined, name)
  }
  t.equal(readCookie([], sessionCookie), undefined)
  t.equal(readCookie(cookie('__Host-sallyport'), sessionCookie), undefined)
})

t.test('a cookie that came twice is not believed', async t => {
  t.equal(readCookie(cookie('__Host-sallyport=a; __Host-sallyport=a'), sessionCookie), null)
  t.equal(readCookie(cookie('__Host-sallyport=a', '__Host-sallyport=b'), sessionCookie), null)
})

t.test('ours has every attribute, and no Domain', async t => {
  t.equal(setCookie(sessionCookie, 'abc'), '__Host-sallyport=abc; Path=/; Secure; HttpOnly; SameSite=Lax')
  t.equal(clearCookie(sessionCookie), '__Host-sallyport=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax')
  t.equal(setLoggedOutMark(), '__Host-sallyport-out=1; Path=/; Secure; HttpOnly; SameSite=Lax')
})

t.test('a value that could begin another header is a bug', async t => {
  for (const value of ['a;b', 'a\r\nb', 'a b', 'ä']) t.throws(() => setCookie('x', value), TypeError)
})

t.test('the mark of having logged out is seen in any form', async t => {
  t.notOk(hasLoggedOutMark(cookie('__Host-sallyport=1')))
  t.ok(hasLoggedOutMark(cookie('__Host-sallyport-out=1')))
  t.ok(hasLoggedOutMark(cookie('__Host-sallyport-out=1; __Host-sallyport-out=0')))
})

t.test('what a session is known by belongs to the cookie that was shown', async t => {
  const list = cookie('__Host-sallyport=abc')
  const shown = ownCookies(list)
  t.equal(ownCookies(list), shown, 'read once')
  const digest = cookieDigest('abc', shown)
  t.equal(digest, cookieDigest('abc'))
  t.equal(cookieDigest('abc', shown), digest)
  t.not(cookieDigest('abd', shown), digest, 'of another one it says nothing')
  t.equal(cookieDigest('abd', shown), cookieDigest('abd'))
  t.equal(cookieDigest('abc', shown), digest)
})
