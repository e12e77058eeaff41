/**
 * Cuts what `crash` printed for a whole command file into one answer a command, checked in under
 * `answers/IMAGE/COMMAND.txt`. Run again after the images have changed:
 *
 *     node test/crash/trim.mjs [DIRECTORY WITH IMAGES]
 *
 * The input, `IMAGE.crash-VERSION.txt`, has no prompts between the commands, so a section begins at
 * a line that only its command can print first, and ends where the next one begins. What crash
 * wrote on stderr stands where it was flushed: before everything, or inside `bt -a`.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const images = resolve(
  process.argv[2] ?? process.env.TSDUMP_IMAGES ?? join(here, '../../../shared/images'),
);

/** Sections in the order of the command file; `null`: not kept, it only ends the one before. */
const sections = [
  ['sys', (line) => line.startsWith('      KERNEL: ')],
  ['log', (line) => line.startsWith('[')],
  ['ps', (line) => /^ +PID +PPID +CPU +TASK +ST /.test(line)],
  ['bt', (line) => line.startsWith('PID: ')],
  ['bt-a', (line) => line.startsWith('PID: ')],
  ['mod', (line) => /^ +MODULE +NAME +BASE/.test(line)],
  [null, (line) => /^ +PAGES +TOTAL +PERCENTAGE/.test(line)],
  ['task-1', (line) => line.startsWith('PID: 1 ')],
  ['vm-1', (line) => line.startsWith('PID: 1 ')],
  ['files-1', (line) => line.startsWith('PID: 1 ')],
  ['vtop', (line) => line.startsWith('VIRTUAL ')],
  [null, (line) => /^ +NET_DEVICE /.test(line)],
  ['sym-q-sysrq', (line) => /^[0-9a-f]{16} \(\w\) .*sysrq/.test(line)],
  ['sym-linux_banner', (line) => /^[0-9a-f]{16} \(\w\) linux_banner$/.test(line)],
  ['struct-o-task_struct', (line) => line === 'struct task_struct {'],
  ['struct-list_head', (line) => line === 'struct list_head {'],
  ['p-init_task.comm', (line) => line.startsWith('$1 = ')],
  ['p-jiffies', (line) => line.startsWith('jiffies = ')],
  ['foreach-bt', (line) => line.startsWith('PID: 0 ')],
  // It begins with the same task again.
  ['foreach-files', (line) => line.startsWith('PID: 0 ') && line.includes('"swapper/0"')],
  [null, (line) => line.startsWith('SHMID_KERNEL')],
];

for (const name of readdirSync(images)) {
  const match = /^(.+)\.crash-[\d.]+\.txt$/.exec(name);
  if (match !== null) trim(match[1], readFileSync(join(images, name), 'utf8').split('\n'));
}

function trim(image, lines) {
  const starts = [];
  let from = 0;
  for (const [section, isFirst] of sections) {
    const start = lines.findIndex((line, index) => index >= from && isFirst(line));
    if (start < 0) throw new Error(`${image}: no section ${section ?? '(end mark)'}`);
    starts.push(start);
    from = start + 1;
  }
  const directory = join(here, 'answers', image);
  mkdirSync(directory, { recursive: true });
  sections.forEach(([section], index) => {
    if (section === null) return;
    const text = lines
      .slice(starts[index], starts[index + 1])
      .join('\n')
      .trimEnd();
    writeFileSync(join(directory, `${section}.txt`), `${text}\n`);
  });
}
