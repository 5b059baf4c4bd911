/**
 * Counts that change with every request, kept as plain numbers until the metric is read: prom-client makes one text of all
 * labels with each change.
 */

/** @typeParam Values  one for each label, in their order. There are few of each, or the table would grow without end. */
export interface Tally<Values extends readonly (string | number)[]> {
  add(amount: number, ...values: Values): void
  /** Tells what was added since it was emptied last. */
  empty(tell: (amount: number, values: Values) => void): void
}

interface Branch {
  /** Undefined: nothing was added. What adds up to zero is told too, or a gauge at zero would not be there. */
  amount: number | undefined
  readonly branches: Map<string | number, Branch>
}

const newBranch = (): Branch => ({ amount: undefined, branches: new Map() })

export function createTally<Values extends readonly (string | number)[]>(): Tally<Values> {
  const root = newBranch()
  const visit = (
    branch: Branch,
    values: readonly (string | number)[],
    tell: (amount: number, values: Values) => void,
  ) => {
    if (branch.amount !== undefined) tell(branch.amount, values as Values)
    branch.amount = undefined
    for (const [value, next] of branch.branches) visit(next, [...values, value], tell)
  }
  return {
    add(amount, ...values) {
      let branch = root
      // By number: no list of the values is made then.
      for (let at = 0; at < values.length; at++) {
        const value = values[at] ?? ''
        let next = branch.branches.get(value)
        if (next === undefined) {
          next = newBranch()
          branch.branches.set(value, next)
        }
        branch = next
      }
      branch.amount = (branch.amount ?? 0) + amount
    },
    empty: tell => visit(root, [], tell),
  }
}
