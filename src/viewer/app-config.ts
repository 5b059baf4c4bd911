/**
 * Writes app-config.js: the settings of the viewer, with this gateway's own DICOMweb as the only source of images.
 *
 * The file that comes with the viewer points at a public demonstration server in a cloud; it is served only where the
 * gateway stands in for the OHIF image (cli/ohif-environment.ts), and the operator is told.
 * Not to forget: everything in here is readable by whoever may open the viewer.
 *
 * Source: OHIF configuration reference (dataSources, maxNumRequests, httpErrorHandler).
 */

/** @param dicomWeb  path of DICOMweb on the same origin, such as /dicom-web */
export function appConfigFor(dicomWeb: string): string {
  const settings = {
    routerBasename: null,
    extensions: [],
    modes: [],
    customizationService: {},
    showStudyList: true,
    // Some Windows systems stumble over more than three.
    maxNumberOfWebWorkers: 3,
    showWarningMessageForCrossOrigin: false,
    showCPUFallbackMessage: true,
    showLoadingIndicator: true,
    strictZSpacingForVolumeViewport: true,
    groupEnabledModesFirst: true,
    showErrorDetails: 'always',
    investigationalUseDialog: { option: 'never' },
    // Fits HTTP/2; the gateway queues what is too much for the archive behind it.
    maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
    defaultDataSourceName: 'archive',
    dataSources: [
      {
        namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
        sourceName: 'archive',
        configuration: {
          friendlyName: 'Image archive',
          name: 'archive',
          qidoRoot: dicomWeb,
          wadoRoot: dicomWeb,
          wadoUriRoot: dicomWeb,
          qidoSupportsIncludeField: false,
          supportsReject: false,
          supportsFuzzyMatching: false,
          supportsWildcard: true,
          imageRendering: 'wadors',
          thumbnailRendering: 'wadors',
          enableStudyLazyLoad: true,
          dicomUploadEnabled: true,
          // Orthanc wants the type in Accept without quotation marks.
          omitQuotationForMultipartRequest: true,
          bulkDataURI: { enabled: true, relativeResolution: 'studies' },
          singlepart: 'bulkdata,video',
        },
      },
    ],
  }
  return `window.config = ${JSON.stringify(settings, null, 2)}\n${sessionNotice}`
}

/**
 * When the session ends while someone reads, the page stays as it is: measurements that are not saved would be lost by
 * a redirect. A note offers to sign in again in another tab; the cookie is then there for this one, too.
 *
 * OHIF 3.13 tells httpErrorHandler of some requests only, so the browser's own record of requests is watched as well.
 */
const sessionNotice = `
{
  const id = 'sallyport-session'
  const tell = () => {
    if (document.body === null || document.getElementById(id) !== null) return
    const make = (name, text, style) => {
      const element = document.createElement(name)
      element.textContent = text
      element.style.cssText = style
      return element
    }
    const note = make(
      'div',
      'You are signed out. What you see stays as it is.',
      'position:fixed;z-index:2147483647;left:50%;top:12px;transform:translateX(-50%);display:flex;flex-wrap:wrap;gap:4px 16px;' +
        'align-items:center;box-sizing:border-box;width:max-content;max-width:calc(100vw - 24px);padding:12px 16px;' +
        'border-radius:8px;background:#fff;color:#111;font:16px/1.5 system-ui,sans-serif;box-shadow:0 4px 24px #000a;' +
        // An open dialog of OHIF turns the pointer off for all else, and hides what is not live from screen readers.
        'pointer-events:auto',
    )
    note.id = id
    note.setAttribute('role', 'alert')
    note.setAttribute('aria-live', 'assertive')
    const link = make('a', 'Sign in again in a new tab', 'color:#0645ad;text-decoration:underline')
    link.href = '/-/login'
    link.target = '_blank'
    const close = make(
      'button',
      'Close',
      'padding:2px 10px;border:1px solid #555;border-radius:6px;background:#fff;color:#111',
    )
    close.onclick = () => note.remove()
    note.append(link, close)
    document.body.append(note)
  }
  window.config.httpErrorHandler = error => {
    if (error?.status === 401) tell()
  }
  new PerformanceObserver(list => {
    if (list.getEntries().some(entry => entry.responseStatus === 401)) tell()
  }).observe({ type: 'resource', buffered: true })
}
`
