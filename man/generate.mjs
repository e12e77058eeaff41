// Writes what the built program says of itself: the manual pages from its tree of commands, the
// reference of faults and scenarios from their descriptions. `npm run man`.
import { readFileSync, writeFileSync } from 'node:fs';
import { commandsPage } from '../dist/cli/commands-page.js';
import { knownGrids } from '../dist/cli/library.js';
import { manualPages } from '../dist/cli/man.js';
import { commandTree } from '../dist/cli/program.js';
import { faultsPage, scenarioSchema, scenariosPage } from '../dist/cli/reference.js';
import { knownScenarios } from '../dist/cli/scenario.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const reference = new URL('../docs/reference/', import.meta.url);
// First: the manual pages show the outputs in it.
writeFileSync(new URL('commands.md', reference), await commandsPage());
for (const [name, text] of manualPages(commandTree(version), version)) {
  writeFileSync(new URL(name, import.meta.url), text);
}
writeFileSync(new URL('faults.md', reference), faultsPage());
writeFileSync(new URL('scenarios.md', reference), scenariosPage(knownScenarios(), knownGrids()));
writeFileSync(
  new URL('json/scenario-1.json', reference),
  `${jsonText(scenarioSchema(), '', '')}\n`,
);

/** As the formatter has it: a list of plain values stands on one line where it fits there. */
function jsonText(value, indent, name) {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  const isPlain = isList && value.every((item) => typeof item !== 'object');
  const flat = isPlain ? `[${value.map((item) => JSON.stringify(item)).join(', ')}]` : '';
  // A comma may follow.
  if (isPlain && indent.length + name.length + flat.length < 100) return flat;
  const deeper = `${indent}  `;
  const parts = Object.entries(value).map(([key, item]) => {
    const name = isList ? '' : `${JSON.stringify(key)}: `;
    return `${deeper}${name}${jsonText(item, deeper, name)}`;
  });
  if (parts.length === 0) return isList ? '[]' : '{}';
  const [open, close] = isList ? '[]' : '{}';
  return `${open}\n${parts.join(',\n')}\n${indent}${close}`;
}
