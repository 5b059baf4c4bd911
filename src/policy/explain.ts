/**
 * Tells which rule decides and why, from the same judgement that `decide` acts on.
 */
import type { AccessRule } from '../config/route.ts'
import type { Principal } from '../identity/principal.ts'
import type { Route } from '../route/route.ts'
import { judge, type RuleVerdict } from './decide.ts'
import type { Operation } from './operation.ts'

export interface ExplainedRule {
  /** `routes[1].access[0]` */
  readonly label: string
  readonly rule: AccessRule
  /** 'not-reached': an earlier rule had decided. */
  readonly verdict: RuleVerdict | 'not-reached'
}

export function explainRules(route: Route, operation: Operation, principal: Principal | undefined): ExplainedRule[] {
  if (!Array.isArray(route.access)) return []
  let decided = false
  return route.access.map((rule, index) => {
    const verdict = decided ? 'not-reached' : principal === undefined ? 'not-named' : judge(rule, principal, operation)
    if (verdict !== 'not-named') decided = true
    return { label: `${route.label}.access[${index}]`, rule, verdict }
  })
}
