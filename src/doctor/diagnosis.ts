/**
 * What a diagnosis is: a cause in plain words and what to change, for whoever sets the gateway up; and the words for
 * servers that all of them use.
 *
 * Not to forget: a person who signs in never reads any of this.
 */
import { type Address, urlOf } from '../ldap/connection.ts'

export interface Diagnosis {
  /** Kebab-case; stays the same when the words are mended. */
  readonly code: string
  readonly cause: string
  /** What to change or to look at. */
  readonly cure: string
}

/** How the server is spoken to. */
export interface Terms {
  readonly address: Address
  readonly startTls: boolean
  /** Undefined: searched anonymously. */
  readonly reader: string | undefined
  readonly base: string
  /** Milliseconds. */
  readonly connectTimeout: number
  readonly readTimeout: number
  /** A certificate of ours is shown to a server that asks for one. */
  readonly showsCertificate: boolean
}

export const placeOf = ({ host, port }: Address): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

/** The same host, spoken to in another way; the port that is usual for it is left out. */
export const otherUrl = (address: Address, change: Partial<Address>): string =>
  urlOf({ ...address, ...change }).replace(/^(ldap:.*):389$|^(ldaps:.*):636$/, '$1$2')

export const isEncrypted = ({ address, startTls }: Pick<Terms, 'address' | 'startTls'>): boolean =>
  address.secure || startTls
