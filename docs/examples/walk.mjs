// The whole walk: `npm run demo`. Crashes a machine made of a real Linux's memory, captures it by
// two methods into a temporary folder, asks both dumps what happened, and damages it so that one
// method fails. Every command that it runs is printed, to be tried by hand.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = join(root, 'bin/tsdump.js');
const folder = mkdtempSync(join(tmpdir(), 'tsdump-demo-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Prints what is done and the command, runs it, and ends the walk where it ends otherwise. */
function step(title, words, { show = Number.POSITIVE_INFINITY, status = 0 } = {}) {
  console.log(`\n== ${title}\n$ tsdump ${words.join(' ')}`);
  const run = spawnSync(process.execPath, [program, ...words], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 * 1024 * 1024,
  });
  const lines = run.stdout.trimEnd().split('\n');
  console.log(lines.slice(-show).join('\n'));
  if (run.status !== status) process.exit(run.status || 70);
  return run.stdout;
}

const dump = (name) => join(folder, name);

step('Crash a real machine; a mini kernel saves it as LKCD', ['mkdump', '-o', dump('a.lkcd')]);
step('The last words of its kernel', ['analyze', dump('a.lkcd'), 'log', '--quiet'], { show: 3 });
step('User tasks', ['analyze', dump('a.lkcd'), 'ps', '-u', '--quiet']);
const first = step('The task that panicked', ['analyze', dump('a.lkcd'), 'bt']);

const damaged = ['kexec', '--scenario', 'corrupted-segment', '--seed', '1'];
step(
  'The same machine, but a device writes into the loaded crash kernel: why is there no dump?',
  [...damaged, '-o', dump('none.kdump')],
  { status: 1 },
);

step('Without damage; a second kernel, started with kexec, saves it as KDUMP', [
  'kexec',
  '-o',
  dump('b.kdump'),
]);
const last = step('The task that panicked, asked of that dump', ['analyze', dump('b.kdump'), 'bt']);
if (last !== first) throw new Error('the two dumps do not tell the same backtrace');
