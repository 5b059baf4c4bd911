/**
 * What a DICOM node is told when it does not get through: A-ASSOCIATE-RJ and A-ABORT, which modalities put into words.
 *
 * Source: DICOM PS3.8 9.3.4 (table 9-21), 9.3.8 (table 9-26).
 */
import { pduTypes } from './association.ts'

const fourBytes = (type: number, ...fields: readonly [number, number, number, number]) =>
  Buffer.from([type, 0, 0, 0, 0, 4, ...fields])

/** Result 1 is for good, 2 for now; source 1 the user (the gate, in the place of the node behind it), 2 ACSE, 3 presentation. */
export const rejections = {
  'no-reason': fourBytes(pduTypes.associateReject, 0, 1, 1, 1),
  'calling-title': fourBytes(pduTypes.associateReject, 0, 1, 1, 3),
  'called-title': fourBytes(pduTypes.associateReject, 0, 1, 1, 7),
  version: fourBytes(pduTypes.associateReject, 0, 1, 2, 2),
  /** "Temporary congestion": try again later. */
  later: fourBytes(pduTypes.associateReject, 0, 2, 3, 1),
} as const

export type Rejection = keyof typeof rejections

/** By the service provider. */
export const aborts = {
  'no-reason': fourBytes(pduTypes.abort, 0, 0, 2, 0),
  unrecognized: fourBytes(pduTypes.abort, 0, 0, 2, 1),
  unexpected: fourBytes(pduTypes.abort, 0, 0, 2, 2),
  'invalid-value': fourBytes(pduTypes.abort, 0, 0, 2, 6),
} as const

export type Abort = keyof typeof aborts
