// The whole walk: `npm run demo`. Opens a real vmcore, brings it back to life, captures it by two
// methods into a temporary folder and asks both dumps what happened. Every command that it runs is
// printed, to be tried by hand.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = join(root, 'bin/tsdump.js');
const machine = 'fixtures/default.kdump';
const folder = mkdtempSync(join(tmpdir(), 'tsdump-demo-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Prints what is done and the command, runs it, and ends the walk where it fails. */
function step(title, words, { show = Number.POSITIVE_INFINITY } = {}) {
  console.log(`\n== ${title}\n$ tsdump ${words.join(' ')}`);
  const run = spawnSync(process.execPath, [program, ...words], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 * 1024 * 1024,
  });
  const lines = run.stdout.trimEnd().split('\n');
  console.log(lines.slice(-show).join('\n'));
  if (run.status !== 0) process.exit(run.status ?? 70);
  return run.stdout;
}

step('A real vmcore, opened with nothing but itself: what crashed?', ['analyze', machine, 'sys']);
step('The last words of its kernel', ['analyze', machine, 'log', '--quiet'], { show: 3 });

const methods = [
  ['mkdump', 'lkcd', 'Bring it back to life, crash it again; a mini kernel saves it as LKCD'],
  ['kexec', 'kdump', 'Once more; a second kernel, started with kexec, saves it as KDUMP'],
];
const traces = [];
for (const [method, extension, title] of methods) {
  const file = join(folder, `${method}.${extension}`);
  step(title, ['capture', '--method', method, '-o', file]);
  step('User tasks, asked of that dump', ['analyze', file, 'ps', '-u', '--quiet']);
  const last = 'The task that panicked, asked of that dump';
  traces.push(step(last, ['analyze', file, 'bt']));
}
if (traces[0] !== traces[1]) throw new Error('the two dumps do not tell the same backtrace');
