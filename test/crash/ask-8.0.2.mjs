/**
 * Asks an installed `crash` 8.0.2 about memory of test/dumps/sysrq.kdump, and writes down what it
 * was asked and what it said:
 *
 *     node test/crash/ask-8.0.2.mjs VMLINUX-WITH-SYMBOLS
 */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const dump = join(here, '../dumps/sysrq.kdump');
for (const subject of ['instructions', 'memory', 'options', 'types', 'walks']) {
  ask(join(here, `answers/sysrq-8.0.2/${subject}.txt`));
}

function ask(file) {
  const commands = readFileSync(file, 'utf8').match(/(?<=^crash> ).+/gm);
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const script = commands
    .map((command) => `!echo 'crash>' ${quoted(command)}\n${command}\n`)
    .join('');
  const output = execFileSync('crash', ['-s', process.argv[2], dump], {
    input: `${script}!echo @@end\nexit\n`,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const lines = output.slice(output.indexOf('crash> '), output.indexOf('@@end')).split('\n');
  const kept = lines.filter((line, index) => !isNoise(line, lines[index + 1] ?? ''));
  writeFileSync(file, kept.join('\n'));
}

/** Warnings, and the blank line that crash puts before the next prompt. */
function isNoise(line, next) {
  return line.startsWith('WARNING: ') || (line === '' && next.startsWith('crash> '));
}
