/**
 * The memory of the process over time as an SVG: one line for each life of it, with its reloads, kills and stops.
 */
export interface Sample {
  /** Seconds since the start. */
  readonly at: number
  readonly megabytes: number
  /** Which life of the process; a new one begins behind each kill or stop. */
  readonly life: number
}

export interface Mark {
  readonly at: number
  readonly what: 'reload' | 'kill' | 'stop'
}

const [width, height] = [960, 360]
const edge = { left: 64, right: 24, top: 48, bottom: 48 }
const colours = { reload: '#9aa5b1', kill: '#c0392b', stop: '#d68910' } as const

/** @param title  plain text */
export function memoryPlot(title: string, samples: readonly Sample[], marks: readonly Mark[]): string {
  const end = Math.max(1, ...samples.map(({ at }) => at))
  const top = Math.ceil(Math.max(1, ...samples.map(({ megabytes }) => megabytes)) / 50) * 50
  const x = (at: number) => (edge.left + (at / end) * (width - edge.left - edge.right)).toFixed(1)
  const y = (megabytes: number) =>
    (height - edge.bottom - (megabytes / top) * (height - edge.top - edge.bottom)).toFixed(1)

  const lives = Map.groupBy(samples, ({ life }) => life)
  const lines = [...lives.values()].map(
    life =>
      `<polyline fill="none" stroke="#1f618d" stroke-width="1.5" points="${life.map(({ at, megabytes }) => `${x(at)},${y(megabytes)}`).join(' ')}"/>`,
  )
  const falls = marks.map(
    ({ at, what }) =>
      `<line x1="${x(at)}" x2="${x(at)}" y1="${edge.top}" y2="${height - edge.bottom}" stroke="${colours[what]}" stroke-dasharray="${what === 'reload' ? '1 4' : '4 2'}"/>`,
  )
  const steps = Array.from({ length: 6 }, (_, step) => step / 5)
  const scale = steps.flatMap(step => [
    `<line x1="${edge.left}" x2="${width - edge.right}" y1="${y(step * top)}" y2="${y(step * top)}" stroke="#e5e8eb"/>`,
    `<text x="${edge.left - 8}" y="${y(step * top)}" text-anchor="end" dominant-baseline="middle">${step * top} MB</text>`,
    `<text x="${x(step * end)}" y="${height - edge.bottom + 20}" text-anchor="middle">${Math.round(step * end)} s</text>`,
  ])
  const legend = Object.entries(colours).map(
    ([what, colour], index) =>
      `<text x="${width - edge.right - 160 + index * 60}" y="${edge.top - 12}" fill="${colour}">${what}</text>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#34495e">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${edge.left}" y="24" font-size="15">${title.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`,
    ...scale,
    ...falls,
    ...lines,
    ...legend,
    '</svg>',
    '',
  ].join('\n')
}
