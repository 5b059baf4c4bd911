/**
 * The results as SVG: a panel for each way to sign in, a group of bars for each work, one bar for each gateway.
 *
 * The bar is throughput against nginx, the black tick is CPU against nginx; the line at 1 is nginx itself.
 */
import type { Cell } from './matrix.ts'
import { sectionTitle } from './report.ts'
import { scenarios } from './scenarios.ts'

const colours: Readonly<Record<string, string>> = {
  sallyport: '#1f618d',
  nginx: '#7f8c8d',
  haproxy: '#5dade2',
  apache: '#c0392b',
  caddy: '#27ae60',
  'http-proxy': '#d68910',
  'nginx-open': '#bdc3c7',
}
const [width, left, right, bar] = [960, 330, 60, 13]
const most = 2.5 // beyond that a bar is cut, and its number says how long it is

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const x = (ratio: number) => left + (Math.min(ratio, most) / most) * (width - left - right)

export function chart(cells: readonly Cell[]): string {
  const parts: string[] = []
  const text = (at: number, down: number, words: string, more = '') =>
    parts.push(`<text x="${at.toFixed(1)}" y="${down}" ${more}>${escaped(words)}</text>`)
  let y = 30
  text(20, y, 'Against nginx with the same way to sign in: 1 is as good as nginx, more is better', 'font-size="16"')
  y += 22
  let at = 20
  for (const [name, colour] of Object.entries(colours)) {
    if (name === 'nginx' || !cells.some(({ target, ratio }) => target === name && ratio !== undefined)) continue
    parts.push(`<rect x="${at}" y="${y - 10}" width="11" height="11" fill="${colour}"/>`)
    text(at + 16, y, name)
    at += 34 + name.length * 7
  }
  y += 18
  text(20, y, 'Bar and number: throughput (or latency, memory). Black tick: CPU for the same work.')
  y += 6
  for (const panel of Map.groupBy(cells, ({ auth, workers }) => `${auth} ${workers}`).values()) {
    const [first] = panel
    y += 30
    if (first === undefined) continue
    text(20, y, sectionTitle(first.auth, first.workers), 'font-size="14" font-weight="bold"')
    const top = y + 8
    const start = parts.length
    y += 12
    for (const { name, title } of scenarios) {
      const bars = panel.filter(
        ({ scenario, target, ratio }) => scenario === name && target !== 'nginx' && ratio !== undefined,
      )
      if (bars.length === 0) continue
      text(left - 10, y + (bars.length * bar) / 2 + 4, title, 'text-anchor="end"')
      for (const { target, ratio = 0, cpuRatio } of bars) {
        parts.push(
          `<rect x="${left}" y="${y}" width="${(x(ratio) - left).toFixed(1)}" height="${bar - 3}" fill="${colours[target] ?? '#000'}"/>`,
        )
        if (cpuRatio !== undefined)
          parts.push(
            `<rect x="${(x(cpuRatio) - 1.5).toFixed(1)}" y="${y - 1}" width="3" height="${bar - 1}" fill="#000"/>`,
          )
        text(Math.max(x(ratio), x(cpuRatio ?? 0)) + 5, y + bar - 4, ratio.toFixed(2), 'font-size="10"')
        y += bar
      }
      y += 8
    }
    // Behind the bars: the scale.
    const lines = [0, 0.5, 1, 1.5, 2, 2.5].map(
      step =>
        `<line x1="${x(step).toFixed(1)}" x2="${x(step).toFixed(1)}" y1="${top}" y2="${y}" stroke="${step === 1 ? '#34495e' : '#e5e8eb'}"/><text x="${x(step).toFixed(1)}" y="${y + 13}" text-anchor="middle">${step}</text>`,
    )
    parts.splice(start, 0, ...lines)
    y += 16
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 20}" font-family="sans-serif" font-size="12" fill="#34495e">`,
    '<title>sallyport and other gateways against nginx</title>',
    `<rect width="${width}" height="${y + 20}" fill="#ffffff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n')
}
