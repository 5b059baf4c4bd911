import {
  InsufficientAccessError,
  InvalidCredentialsError,
  NoSuchObjectError,
  UnavailableError,
  UnwillingToPerformError,
} from 'ldapts'
import t from 'tap'
import { directoryFault, inStep, refusalOf } from '../../src/ldap/failure.ts'
import { resultError } from '../../src/ldap/response.ts'

t.test('only a refusal of the person is a refusal', async t => {
  for (const error of [new InvalidCredentialsError(), new NoSuchObjectError(), new UnwillingToPerformError()])
    t.type(refusalOf(error), 'string')
  for (const error of [new UnavailableError(), new InsufficientAccessError(), new Error('ECONNRESET'), 'x'])
    t.equal(refusalOf(error), undefined)
})

t.test('what Active Directory meant stands in the reason', async t => {
  const thrown = new InvalidCredentialsError(
    '80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 775, v4563',
  )
  t.equal(refusalOf(thrown), '49 invalidCredentials (data 775: account locked)')
})

t.test('wrong settings and outages are different faults', async t => {
  t.equal(directoryFault('reader', new InvalidCredentialsError()).code, 'directory-misconfigured')
  t.equal(directoryFault('search', new NoSuchObjectError()).code, 'directory-misconfigured')
  t.equal(directoryFault('search', new UnavailableError()).code, 'directory-unavailable')
  t.equal(directoryFault('connect', new Error('ECONNREFUSED')).code, 'directory-unavailable')
})

t.test('a server that hands sign-ins on is told as that, and not as a base that lies elsewhere', async t => {
  const referral = resultError({ code: 10, message: '', referral: ['ldap://other/'], controls: [] })
  for (const step of ['reader', 'bind'] as const)
    t.match(directoryFault(step, referral), { code: 'directory-misconfigured', message: /hands sign-ins on/ })
  t.match(directoryFault('search', referral), { message: /the base lies in another directory/ })
})

t.test('a bug of ours is not told as an outage', async t => {
  await t.rejects(
    inStep('search', () => Promise.reject(new TypeError('x is undefined'))),
    TypeError,
  )
})
