/**
 * Why the viewer was not installed, said to the operator who asked for it: what is wrong, and the cure.
 *
 * What is unexpected (a full disk) is no refusal and passes through as it came.
 */

export type ViewerRefusalCode =
  | 'version-invalid'
  | 'folder-taken'
  | 'npm-missing'
  | 'npm-offline'
  | 'npm-failed'
  | 'version-unknown'
  | 'integrity-mismatch'
  | 'archive-unreadable'
  | 'archive-unsafe'
  | 'archive-incomplete'

export class ViewerRefusal extends Error {
  override readonly name = 'ViewerRefusal'
  readonly code: ViewerRefusalCode

  constructor(code: ViewerRefusalCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
