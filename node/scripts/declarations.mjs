// Makes the comments of generated declarations readable. The compiler hands a doc comment that a macro forwards to
// `#[napi]` as a raw literal, and napi-derive (3.7) unquotes only plain ones: `/** r" An item. */` reaches the
// declarations. This can go when napi-derive reads the value of the literal instead of its token.
//
//     node scripts/declarations.mjs native.d.ts
import { readFile, realpath, writeFile } from 'node:fs/promises'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'

/** A line of a comment that is a raw literal: what is before it, its hashes, its text, and the end of the comment. */
const RAW = /^(\s*(?:\/\*)?\*+ )r(#*)" ?(.*?)(?:"\2)?( \*\/)?$/gm

/** The declarations with the texts of raw literals in their comments. */
export function readable(declarations) {
  return declarations.replace(RAW, (_line, start, _hashes, text, end = '') => start + text + end)
}

const [, program, file] = argv
if (file !== undefined && (await realpath(program)) === fileURLToPath(import.meta.url)) {
  await writeFile(file, readable(await readFile(file, 'utf8')))
}
