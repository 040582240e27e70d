/** The declarations of the native module, as editors show them. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

import { ROOT } from './vectors.js'

const SCRIPT = pathToFileURL(join(ROOT, 'node', 'scripts', 'declarations.mjs')).href

test('a comment that a macro forwards reads like any other', async () => {
  const { readable } = (await import(SCRIPT)) as { readable(declarations: string): string }
  for (const [raw, text] of [
    ['/** r" An item. */', '/** An item. */'],
    ['  /** r#" The "best" item, or "worst""# */', '  /** The "best" item, or "worst" */'],
    ['/**\n * r" One."\n * r##" "# two. */', '/**\n * One.\n * "# two. */'],
    ['/** A plain "one". */\nexport const r = "r"', '/** A plain "one". */\nexport const r = "r"'],
  ]) {
    assert.equal(readable(raw!), text)
  }
  const placed = await readFile(join(ROOT, 'node', 'native.d.ts'), 'utf8')
  assert.doesNotMatch(placed, /^\s*(?:\/\*)?\*+ r#*"/m)
})
