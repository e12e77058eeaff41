// Writes the manual pages from the built program: `npm run man`.
import { readFileSync, writeFileSync } from 'node:fs';
import { manualPages } from '../dist/cli/man.js';
import { createProgram } from '../dist/cli/program.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const nothing = () => {};
const program = createProgram({
  version,
  out: nothing,
  err: nothing,
  welcome: nothing,
  analyze: nothing,
  capture: nothing,
});
for (const [name, text] of manualPages(program, version)) {
  writeFileSync(new URL(name, import.meta.url), text);
}
