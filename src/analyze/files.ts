/** `files`: root, working directory and open files of tasks. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress, plural, printable } from '../bytes/text.ts';
import {
  cachedPages,
  dentryOf,
  dentryPath,
  filePath,
  fileType,
  inodeOf,
  openFiles,
  type TaskRoots,
  taskRoots,
} from '../linux/files.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf, follow, type KernelObject } from '../linux/objects.ts';
import { type Answer, atMostOne, type Json, type Options } from './command.ts';
import { contextTasks } from './context.ts';
import { Gaps } from './gaps.ts';
import { hexOrAddress } from './numbers.ts';
import { type TaskEntry, taskHeader, taskJson } from './tasks.ts';

/** What is undefined is not in the dump. */
interface Row {
  readonly fd: number;
  readonly file: bigint;
  readonly dentry: bigint | undefined;
  readonly inode: bigint | undefined;
  readonly type: string | undefined;
  readonly path: string | undefined;
  readonly mapping: bigint | undefined;
  readonly cached: number | undefined;
}

interface Block {
  readonly entry: TaskEntry;
  readonly roots: TaskRoots | undefined;
  readonly rows: readonly Row[];
}

type Layout = 'files' | 'cache';

export function run(kernel: Kernel, words: readonly string[], options: Options): Answer {
  atMostOne(options, ['dentry', 'cache']);
  const { dentry } = options;
  if (typeof dentry === 'string') return oneDentry(kernel, dentry, words);
  const gaps = new Gaps();
  const blocks = contextTasks(kernel, words).map((entry) => blockOf(kernel, entry, gaps));
  const layout = options.cache === true ? 'cache' : 'files';
  const count = blocks.reduce((sum, { rows }) => sum + rows.length, 0);
  return {
    json: () => ({ tasks: blocks.map(blockJson), dentry: null }),
    *text() {
      let isFirst = true;
      for (const block of blocks) {
        if (!isFirst) yield '';
        isFirst = false;
        yield* lines(block, layout);
      }
    },
    counted: plural(count, 'open file'),
    missing: gaps.missing,
    errors: gaps.errors,
  };
}

function blockOf(kernel: Kernel, entry: TaskEntry, gaps: Gaps): Block {
  const roots = gaps.attempt('working directories', () => taskRoots(kernel, entry.view));
  const open = gaps.attempt('open files', () => openFiles(kernel, entry.view));
  for (const problem of open?.problems ?? []) gaps.add('open files', problem);
  const rows = (open?.files ?? []).map(({ fd, file }) => rowOf(kernel, fd, file, gaps));
  return { entry, roots, rows };
}

function rowOf(kernel: Kernel, fd: number, file: KernelObject, gaps: Gaps): Row {
  const dentry = gaps.attempt('open files', () => dentryOf(file));
  const inode = gaps.attempt('open files', () => inodeOf(file));
  const mapping = inode && gaps.attempt('page caches', () => follow(inode, 'i_mapping'));
  return {
    fd,
    file: addressOf(file),
    dentry: dentry && addressOf(dentry),
    inode: inode && addressOf(inode),
    type: inode && gaps.attempt('inodes', () => fileType(inode)),
    path: gaps.attempt('paths', () => filePath(kernel, file)),
    mapping: mapping && addressOf(mapping),
    cached: mapping && gaps.attempt('page caches', () => cachedPages(mapping)),
  };
}

const titles: Readonly<Record<Layout, string>> = {
  files: ' FD       FILE            DENTRY           INODE       TYPE PATH',
  cache: ' FD      INODE          I_MAPPING     NRPAGES TYPE PATH',
};

function* lines({ entry, roots, rows }: Block, layout: Layout): Generator<string> {
  yield taskHeader(entry);
  if (roots !== undefined) {
    yield `ROOT: ${printable(roots.root)}    CWD: ${printable(roots.cwd)}`;
  }
  if (rows.length === 0) {
    yield 'No open files';
    return;
  }
  yield titles[layout];
  const place = (address: bigint | undefined): string =>
    address === undefined ? '?'.padStart(9).padEnd(16) : hex16(address);
  for (const row of rows) {
    const { type = '?', path = '?' } = row;
    const middle =
      layout === 'cache'
        ? [place(row.inode), place(row.mapping), String(row.cached ?? '?').padStart(7)]
        : [place(row.file), place(row.dentry), place(row.inode)];
    yield [String(row.fd).padStart(3), ...middle, type.padEnd(4), printable(path)].join(' ');
  }
}

function blockJson({ entry, roots, rows }: Block): Json {
  return {
    ...taskJson(entry),
    root: roots?.root ?? null,
    cwd: roots?.cwd ?? null,
    files: rows.map((row) => ({
      fd: row.fd,
      file: jsonAddress(row.file),
      dentry: orNull(row.dentry),
      inode: orNull(row.inode),
      type: row.type ?? null,
      path: row.path ?? null,
      mapping: orNull(row.mapping),
      cachedPages: row.cached ?? null,
    })),
  };
}

function orNull(address: bigint | undefined): string | null {
  return address === undefined ? null : jsonAddress(address);
}

/** One dentry by its address. Its path is that within its file system: a dentry has no mount. */
function oneDentry(kernel: Kernel, word: string, words: readonly string[]): Answer {
  if (words.length > 0) throw new DumpError('usage', '--dentry takes one address and no task');
  const view = kernel.object('struct dentry', hexOrAddress(kernel, word));
  const address = addressOf(view);
  const path = dentryPath(kernel, view);
  const inode = view.d_inode as KernelObject | null;
  const superblock = addressOf(follow(view, 'd_sb'));
  const type = inode === null ? 'N/A' : fileType(inode);
  return {
    json: () => ({
      tasks: [],
      dentry: {
        dentry: jsonAddress(address),
        inode: inode === null ? null : jsonAddress(addressOf(inode)),
        superblock: jsonAddress(superblock),
        type: inode === null ? null : type,
        path,
      },
    }),
    *text() {
      yield '     DENTRY           INODE           SUPERBLK     TYPE PATH';
      const places = [address, inode === null ? 0n : addressOf(inode), superblock].map(hex16);
      yield [...places, type.padEnd(4), printable(path)].join(' ');
    },
    missing: [],
  };
}
