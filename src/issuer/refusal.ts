/**
 * What the issuer will not do, said to the operator who asked for it.
 *
 * A refusal is meant to be read: its message names the path or the value and what to do instead. It never holds a
 * password or any part of a key. What broke on the way (a full disk) is not a refusal and passes through as it came.
 */

export type IssuerRefusalCode =
  | 'file-exists'
  | 'directory-shared'
  | 'authority-missing'
  | 'authority-password'
  | 'authority-unreadable'
  | 'authority-expired'
  | 'ledger-unreadable'
  | 'issued-unknown'
  | 'issued-expired'
  | 'revoked-already'
  | 'revoke-ambiguous'
  | 'name-invalid'
  | 'lifetime-invalid'
  | 'password-empty'
  | 'key-mismatch'
  | 'key-unusable'
  | 'container-password'
  | 'container-obsolete'
  | 'container-unreadable'

export class IssuerRefusal extends Error {
  override readonly name = 'IssuerRefusal'
  readonly code: IssuerRefusalCode

  constructor(code: IssuerRefusalCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
