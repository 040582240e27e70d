// Takes over the Node addon that the workspace build made: copies it here, and writes its loader `native.js` and its
// declarations `native.d.ts`. `napi build` would do the same, but builds into a folder of its own, and so everything
// a second time; it is used for releases.
//
//     node scripts/place-native.mjs BUILT_LIBRARY TARGET_TRIPLE
import { copyFile, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { argv, chdir, env } from 'node:process'
import { fileURLToPath } from 'node:url'

import { generateTypeDef, parseTriple, writeJsBinding } from '@napi-rs/cli'

import { readable } from './declarations.mjs'

const [library, triple] = argv.slice(2)
chdir(dirname(dirname(fileURLToPath(import.meta.url))))
const { version, napi } = JSON.parse(await readFile('package.json', 'utf8'))

// Replaced, not overwritten: a running program may have the old one mapped.
const addon = `${napi.binaryName}.${parseTriple(triple).platformArchABI}.node`
await copyFile(library, `${addon}.fresh`)
await rename(`${addon}.fresh`, addon)

const types = await generateTypeDef({ typeDefDir: env.NAPI_TYPE_DEF_TMP_FOLDER, cwd: '.' })
if (types.exports.length === 0) {
  // The compiler writes them as it compiles the addon, and has nothing to write when that is fresh.
  throw new Error(`no declarations in ${env.NAPI_TYPE_DEF_TMP_FOLDER}: touch bindings/napi/src/lib.rs and build again`)
}
await writeFile('native.d.ts', readable(types.dts))
await writeJsBinding({
  platform: true,
  esm: true,
  jsBinding: 'native.js',
  idents: types.exports,
  outputDir: '.',
  version,
  ...napi,
})
