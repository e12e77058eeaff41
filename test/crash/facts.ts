/**
 * What crash printed, and what we print, as facts: a key that says where, a value that says what.
 * Two answers agree if their facts are equal; a difference has a name.
 */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findImage } from '../support/images.ts';

export type Facts = Map<string, string>;

const here = dirname(fileURLToPath(import.meta.url));
export interface Image {
  readonly file: string;
  /** Folder under `answers`. */
  readonly answers: string;
  /** Empty where this machine does not have it. */
  readonly path: string;
  readonly isHere: boolean;
}

/** The real dumps, and the fixture: the memory of sysrq-full, filtered, so its answers hold too. */
export const realDumps: readonly Image[] = [
  image('sysrq.kdump', 'sysrq-full', join(here, '../dumps/sysrq.kdump')),
  ...['null.kdump', 'hardirq.kdump', 'stack.kdump', 'sysrq-full.flat', 'kdump-real.vmcore'].map(
    (file) => image(file, file.replace(/\.\w+$/, ''), findImage(file)),
  ),
];

function image(file: string, answers: string, path: string | undefined): Image {
  return { file, answers, path: path ?? '', isHere: path !== undefined };
}

export function crashAnswer(image: Image, section: string): readonly string[] {
  const path = join(here, 'answers', image.answers, `${section}.txt`);
  return readFileSync(path, 'utf8').trimEnd().split('\n');
}

/** One line after the other. */
export function lineFacts(lines: Iterable<string>): Facts {
  return new Map([...lines].map((line, index) => [`line ${index + 1}`, line]));
}

/** Lines without crash's warnings and without blank ones. */
export function vtopFacts(lines: Iterable<string>): Facts {
  return lineFacts([...lines].filter((line) => line !== '' && !line.startsWith('WARNING: ')));
}

/** `PANIC`: text. */
export function sysFacts(lines: Iterable<string>): Facts {
  const facts: Facts = new Map();
  for (const line of lines) {
    const [, field, value] = /^ *([A-Z ]+): (.*)$/.exec(line) ?? [];
    if (field !== undefined && value !== undefined) facts.set(field, value);
  }
  return facts;
}

const psColumns = ['PID', 'PPID', 'CPU', 'TASK', 'ST', '%MEM', 'VSZ', 'RSS', 'COMM'];

/** `PID TASK column` for every column, `>` among them, and how many tasks there are. */
export function psFacts(lines: Iterable<string>): Facts {
  const facts: Facts = new Map();
  let tasks = 0;
  for (const line of lines) {
    const match = /^(>?) +(\d+) +(\d+) +(\d+) +([0-9a-f]+) +(\S+) +(\S+) +(\d+) +(\d+) +(.+)$/.exec(
      line,
    );
    if (match === null) continue;
    const [, running = '', ...values] = match;
    const name = `${values[0]} ${values[3]}`;
    tasks++;
    facts.set(`${name} >`, running);
    psColumns.forEach((column, index) => {
      facts.set(`${name} ${column}`, values[index] ?? '');
    });
  }
  facts.set('tasks', String(tasks));
  return facts;
}

/**
 * For each task its frames, `PID TASK function@stack`, and what stands below a frame (registers,
 * exception RIP, change of stack), `PID TASK function@stack+1`. The number of a frame is no fact:
 * one frame more would change all that follow.
 */
export function btFacts(lines: Iterable<string>): Facts {
  const facts: Facts = new Map();
  let task = '';
  let frame = '';
  let below = 0;
  for (const line of lines) {
    const head = /^PID: (\d+) +TASK: (\w+) +CPU: (\d+) +COMMAND: (.*)$/.exec(line);
    const step = /^ *#\d+ \[(\w+)\] (\S+) at (.*)$/.exec(line);
    if (head !== null) {
      task = `${head[1]} ${head[2]}`;
      frame = task;
      facts.set(task, `CPU ${head[3]} ${head[4]}`);
    } else if (step !== null) {
      frame = `${task} ${step[2]}@${step[1]}`;
      facts.set(frame, step[3] ?? '');
    } else if (line.trim() !== '') {
      facts.set(`${frame}+${++below}`, line.trim().replace(/ +/g, ' '));
      continue;
    }
    below = 0;
  }
  return facts;
}

/** Rows of a table by their first column. */
export function rowFacts(lines: Iterable<string>): Facts {
  const facts: Facts = new Map();
  for (const line of lines) {
    const words = line.trim().split(/\s+/);
    const [first = '', ...rest] = words;
    // Two symbols may stand at one address.
    const key = facts.has(first) ? `${first} ${rest.join(' ')}` : first;
    facts.set(key, rest.join(' '));
  }
  return facts;
}

export interface Disagreement {
  readonly key: string;
  readonly crash: string | undefined;
  readonly ours: string | undefined;
}

/** Every fact that is not the same on both sides, and `order` if those on both are in another. */
export function disagreements(crash: Facts, ours: Facts): Disagreement[] {
  const keys = new Set([...crash.keys(), ...ours.keys()]);
  const found: Disagreement[] = [...keys]
    .map((key) => ({ key, crash: crash.get(key), ours: ours.get(key) }))
    .filter((fact) => fact.crash !== fact.ours);
  const common = (from: Facts, other: Facts): string =>
    [...from.keys()].filter((key) => other.has(key)).join(', ');
  const order = { key: 'order', crash: common(crash, ours), ours: common(ours, crash) };
  return order.crash === order.ours ? found : [...found, order];
}
