/**
 * Our account with an authority: found by its key, or made once.
 *
 * The key is asked for first, so that no second account is made and a binding that is good for one use is not used
 * again. Who configured the authority agreed to its terms.
 *
 * Source: RFC 8555 7.3 (new account), 7.3.1 (finding one by its key), 7.3.2 (contact), 7.3.4 (external binding).
 */
import type { KeyObject } from 'node:crypto'
import type { AcmeKeystoreSection } from '../config/keystore.ts'
import type { Secret } from '../kernel/secret.ts'
import { Account } from './answers.ts'
import { type Authority, type AuthorityAnswer, readAnswer } from './authority-client.ts'
import { AcmeFailure } from './failure.ts'
import { boundAccount } from './signed-body.ts'

const unknownAccount = 'urn:ietf:params:acme:error:accountDoesNotExist'

/** @param bindingKey  what `eab.key` names */
export async function enterAccount(
  authority: Authority,
  key: KeyObject,
  { email, eab }: Pick<AcmeKeystoreSection, 'email' | 'eab'>,
  bindingKey: Secret | undefined,
): Promise<void> {
  const url = authority.directory.newAccount
  const contact = email === undefined ? [] : [`mailto:${email}`]
  const found = await authority.post(url, { onlyReturnExisting: true }, [unknownAccount])
  if (found.problem === undefined) {
    authority.account = accountUrl(found)
    const known = readAnswer(Account, found.text, 'the account').contact
    if (known.join() !== contact.join()) await authority.post(authority.account, { contact })
    return
  }
  const binding =
    eab === undefined || bindingKey === undefined
      ? {}
      : { externalAccountBinding: boundAccount(key, url, eab.kid, bindingKey) }
  const made = await authority.post(url, { termsOfServiceAgreed: true, contact, ...binding })
  authority.account = accountUrl(made)
}

function accountUrl({ location }: AuthorityAnswer): string {
  if (location === undefined) throw new AcmeFailure('refused', 'the authority gave the account no URL')
  return location
}
