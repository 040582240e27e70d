/** The files of vectors. Nothing here loads the package, so tests that need none of it stay without. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../../..')

export function vectors(name: string): any {
  return JSON.parse(readFileSync(join(ROOT, 'tests/vectors', name), 'utf8'))
}
