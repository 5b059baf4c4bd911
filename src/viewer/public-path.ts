/**
 * Under which path a viewer is served: OHIF bakes it in when it is built (PUBLIC_URL), and it cannot be changed afterwards.
 *
 * Pure: pages and paths in, paths out. Not to forget: what `placeUnder` gets is canonical, so whole segments compare.
 * Source: OHIF, Dockerfile (PUBLIC_URL, dicom-microscopy-viewer at the root) and docs, deployment/docker.
 */

/** Begins and ends with a slash, whole segments between: what can be served here. */
export const isPublicPath = (text: string): boolean =>
  /^\/(?:[A-Za-z0-9._~-]+\/)*$/.test(text) && !/\/\.{1,2}\//.test(text)

/**
 * What the page of a viewer was built for, as it stands there: a path, or whatever else somebody built it with.
 *
 * @returns undefined when this is no page of OHIF
 */
export function publicUrlOf(indexHtml: string): string | undefined {
  const named = /window\.PUBLIC_URL\s*=\s*(["'`])(.*?)\1/.exec(indexHtml)?.[2]
  if (named !== undefined) return named === '' ? '/' : named
  // Before 3.9 the page does not say it, and its first script has to.
  return /<script\b[^>]*\bsrc=["']?([^"'>\s]*?)app\.bundle\.[^"'>\s]*js/i.exec(indexHtml)?.[1]
}

/** A file of the viewer, another address, or nothing. */
export type Placed = { readonly file: string } | { readonly moved: string } | undefined

/**
 * What a path means to a viewer that is served under `base`.
 *
 * @param base  such as / or /ohif/
 * @param path  canonical
 */
export function placeUnder(base: string, path: string): Placed {
  if (path.startsWith(base)) return { file: path.slice(base.length - 1) }
  // The image sends people who type the bare address to the viewer.
  if (path === '/' || `${path}/` === base) return { moved: base }
  // Its libraries ask for this folder at the root, wherever the viewer itself is.
  return path.startsWith('/dicom-microscopy-viewer/') ? { file: path } : undefined
}
