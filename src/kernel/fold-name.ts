/**
 * One spelling for all that differ only by case or by how a letter is put together.
 *
 * Independent of the machine's locale: in a Turkish one, too, "I" becomes "i".
 *
 * Source: Unicode 3.13 D145 (caseless matching), UAX 15 (NFC); OMERO `omero.security.ignore_case`.
 */
export const foldName = (name: string): string => name.normalize('NFC').toLowerCase().normalize('NFC')
