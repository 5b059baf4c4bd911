/**
 * Turns our filters into those of ldapts, which write the packet.
 *
 * ldapts could read the text itself, but its reader takes \c3\a4 for two letters, knows no OIDs and no options, and
 * stops early in some texts; so it never gets to see one. Seen in ldapts 9.2.0, FilterParser.ts.
 */
import {
  AndFilter,
  ApproximateFilter,
  EqualityFilter,
  ExtensibleFilter,
  GreaterThanEqualsFilter,
  LessThanEqualsFilter,
  NotFilter,
  OrFilter,
  PresenceFilter,
  SubstringFilter,
  type Filter as WireFilter,
} from 'ldapts'
import { type Filter, valueBytes } from './filter.ts'

/** parseFilter() lets bytes that are no UTF-8 into equalities only. */
const text = (escaped: string): string => valueBytes(escaped).toString('utf8')

export function encodeFilter(filter: Filter): WireFilter {
  switch (filter.kind) {
    case 'and':
      return new AndFilter({ filters: filter.filters.map(encodeFilter) })
    case 'or':
      return new OrFilter({ filters: filter.filters.map(encodeFilter) })
    case 'not':
      return new NotFilter({ filter: encodeFilter(filter.filter) })
    case 'present':
      return new PresenceFilter({ attribute: filter.attribute })
    case 'equal':
      return new EqualityFilter({ attribute: filter.attribute, value: valueBytes(filter.value) })
    case 'greater':
      return new GreaterThanEqualsFilter({ attribute: filter.attribute, value: text(filter.value) })
    case 'less':
      return new LessThanEqualsFilter({ attribute: filter.attribute, value: text(filter.value) })
    case 'approximate':
      return new ApproximateFilter({ attribute: filter.attribute, value: text(filter.value) })
    case 'substring': {
      const [initial = '', ...rest] = filter.pieces.map(text)
      const final = rest.pop() ?? ''
      return new SubstringFilter({
        attribute: filter.attribute,
        initial,
        any: rest.filter(piece => piece !== ''),
        final,
      })
    }
    case 'extensible':
      return new ExtensibleFilter({
        matchType: filter.attribute,
        dnAttributes: filter.dn,
        rule: filter.rule,
        value: text(filter.value),
      })
  }
}
