/** `files`: root, working directory and open files of tasks. */

import { hex16, jsonAddress, plural, printable } from '../bytes/text.ts';
import {
  cachedPages,
  dentryOf,
  filePath,
  fileType,
  inodeOf,
  openFiles,
  type TaskRoots,
  taskRoots,
} from '../linux/files.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf, follow, type KernelObject } from '../linux/objects.ts';
import { atMostOne, type Json, type Run } from './command.ts';
import { contextTasks } from './context.ts';
import { oneDentry, oneInode } from './files-one.ts';
import { Gaps } from './gaps.ts';
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

export const run: Run = (kernel, words, options, context) => {
  atMostOne(options, ['dentry', 'inode', 'cache']);
  atMostOne(options, ['dentry', 'inode', 'reference']);
  const { dentry, inode, reference } = options;
  if (typeof dentry === 'string') return oneDentry(kernel, dentry, words);
  if (typeof inode === 'string') return oneInode(kernel, inode, words);
  const gaps = new Gaps();
  const all = contextTasks(kernel, context, words).map((entry) => blockOf(kernel, entry, gaps));
  const blocks = typeof reference === 'string' ? referring(all, reference) : all;
  const layout = options.cache === true ? 'cache' : 'files';
  const count = blocks.reduce((sum, { rows }) => sum + rows.length, 0);
  return {
    json: () => ({ tasks: blocks.map(blockJson), dentry: null }),
    *text() {
      let isFirst = true;
      for (const block of blocks) {
        if (!isFirst) yield '';
        isFirst = false;
        // crash puts a blank behind the directory where something is looked for.
        yield* lines(block, layout, reference === undefined ? '' : ' ');
      }
    },
    counted: plural(count, 'open file'),
    passesOver: reference !== undefined && blocks.length === 0,
    missing: gaps.missing,
    errors: gaps.errors,
  };
};

function blockOf(kernel: Kernel, entry: TaskEntry, gaps: Gaps): Block {
  const roots = gaps.attempt('working directories', () => taskRoots(kernel, entry.view));
  const open = gaps.attempt('open files', () => openFiles(kernel, entry.view));
  for (const problem of open?.problems ?? []) gaps.add('open files', problem);
  const rows = (open?.files ?? []).map(({ fd, file }) => rowOf(kernel, fd, file, gaps));
  return { entry, roots, rows };
}

/**
 * The files that have to do with a descriptor, an address of file, dentry, inode or address_space,
 * or a part of a path; tasks without any are left out.
 */
function referring(blocks: readonly Block[], word: string): readonly Block[] {
  const digits = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(word)?.[1];
  const address = digits === undefined ? undefined : BigInt(`0x${digits}`);
  const isMeant = ({ fd, file, dentry, inode, mapping, path }: Row): boolean => {
    if (String(fd) === word || path?.includes(word) === true) return true;
    return address !== undefined && [file, dentry, inode, mapping].includes(address);
  };
  return blocks
    .map((block) => ({ ...block, rows: block.rows.filter(isMeant) }))
    .filter(({ rows }) => rows.length > 0);
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

function* lines(
  { entry, roots, rows }: Block,
  layout: Layout,
  behind: '' | ' ',
): Generator<string> {
  yield taskHeader(entry);
  if (roots !== undefined) {
    yield `ROOT: ${printable(roots.root)}    CWD: ${printable(roots.cwd)}${behind}`;
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
