/**
 * A name and a password as one keyed hash: to see that two are the same, without keeping either.
 *
 * The key is of this process and of no use to anybody else.
 */
import { createHmac, randomBytes } from 'node:crypto'

export type CredentialKey = (name: string, password: string) => string

export function createCredentialKey(): CredentialKey {
  const key = randomBytes(32)
  // As JSON: no two pairs run together into one text.
  return (name, password) =>
    createHmac('sha256', key)
      .update(JSON.stringify([name, password]))
      .digest('base64url')
}
