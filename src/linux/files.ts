/**
 * Open files of a task and the paths of files: dentries up to the root of their file system, then
 * on from where that is mounted, as the kernel's own d_path() goes.
 * Source: fs/d_path.c, fs/mount.h, include/linux/{fdtable,dcache}.h.
 */

import { DumpError } from '../bytes/errors.ts';
import type { AddressSpace } from './memory.ts';
import { addressOf, follow, hasMember, type KernelObject, memberAddress } from './objects.ts';
import type { TypeTable } from './types.ts';
import { headOf, walkXarray } from './xarray.ts';

/** What reading files needs of the kernel; `KernelCore` is one. */
export interface FileKernel {
  readonly memory: AddressSpace;
  readonly types: TypeTable;
  object(type: string, address: bigint): KernelObject;
}

export interface OpenFile {
  readonly fd: number;
  /** A view of struct file. */
  readonly file: KernelObject;
}

export interface OpenFiles {
  readonly files: readonly OpenFile[];
  /** Descriptors that are in use and cannot be read. */
  readonly problems: readonly DumpError[];
}

/** NAME_MAX. */
const maxName = 255;
/** PATH_MAX holds no more components, nor can mounts be nested deeper. */
const maxComponents = 4096;
/** What fs.nr_open may be raised to is far more than any process has had. */
const maxDescriptors = 1024 * 1024;

/** Undefined for a task that has no table (any more): threads of exiting processes. */
export function openFiles(kernel: FileKernel, task: KernelObject): OpenFiles | undefined {
  if (task.files === null) return undefined;
  const table = follow(task.files, 'fdt');
  const slots = table.max_fds as number;
  if (slots > maxDescriptors) {
    throw new DumpError('corrupt', `a table of ${slots} file descriptors`, {
      where: { virtual: addressOf(table) },
    });
  }
  const pointers = kernel.memory.u64(memberAddress(table, 'fd'));
  const used = kernel.memory.read(
    kernel.memory.u64(memberAddress(table, 'open_fds')),
    Math.ceil(slots / 8),
  );
  const files: OpenFile[] = [];
  const problems: DumpError[] = [];
  for (let fd = 0; fd < slots; fd++) {
    if ((used[fd >> 3]! & (1 << (fd & 7))) === 0) continue;
    try {
      const address = kernel.memory.u64(pointers + BigInt(fd * 8));
      // A descriptor that open() has reserved and not filled yet.
      if (address !== 0n) files.push({ fd, file: kernel.object('struct file', address) });
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      problems.push(error);
    }
  }
  return { files, problems };
}

/** The path of a `struct file`. Throws DumpErrors. */
export function filePath(kernel: FileKernel, file: KernelObject): string {
  return pathOf(kernel, file.f_path);
}

/**
 * The path of a `struct path`, from the root of its mount namespace. What has no place in a tree
 * has its bare name (`TCPv6`, `[eventpoll]`), or `pipe:[INODE]` where it has none.
 */
export function pathOf(kernel: FileKernel, path: KernelObject): string {
  const first = follow(path, 'dentry');
  const invented = inventedName(kernel, first);
  if (invented !== undefined) return invented;
  const names: string[] = [];
  let dentry = first;
  // Since v3.3 (7d6fec45a5131 "vfs: start hiding vfsmount guts series") mounts are `struct mount`.
  const toMount = BigInt(kernel.types.offsetOf('struct mount', 'mnt'));
  let mount = kernel.object('struct mount', addressOf(follow(path, 'mnt')) - toMount);
  for (let steps = 0; steps < maxComponents; steps++) {
    const address = addressOf(dentry);
    const isRoot = address === addressOf(follow(mount.mnt, 'mnt_root'));
    if (isRoot) {
      const parent = follow(mount, 'mnt_parent');
      if (addressOf(parent) === addressOf(mount)) return `/${names.reverse().join('/')}`;
      dentry = follow(mount, 'mnt_mountpoint');
      mount = parent;
      continue;
    }
    names.push(nameOf(kernel, dentry));
    const parent = follow(dentry, 'd_parent');
    // Cut off from its mount: a file system that was unmounted lazily, or a hidden one.
    if (addressOf(parent) === address) return detached(names.reverse());
    dentry = parent;
  }
  throw new DumpError('corrupt', 'a path without an end', {
    where: { virtual: addressOf(first) },
  });
}

/** The path within its file system of a dentry alone, of which no mount is known. */
export function dentryPath(kernel: FileKernel, first: KernelObject): string {
  const names: string[] = [];
  let dentry = first;
  for (let steps = 0; steps < maxComponents; steps++) {
    const parent = follow(dentry, 'd_parent');
    if (addressOf(parent) === addressOf(dentry)) return `/${names.reverse().join('/')}`;
    names.push(nameOf(kernel, dentry));
    dentry = parent;
  }
  throw new DumpError('corrupt', 'a path without an end', {
    where: { virtual: addressOf(first) },
  });
}

function detached(names: readonly string[]): string {
  return names[0] === '/' ? `/${names.slice(1).join('/')}` : names.join('/');
}

function nameOf(kernel: FileKernel, dentry: KernelObject): string {
  const { len } = dentry.d_name;
  if (len > maxName) {
    throw new DumpError('corrupt', `a file name of ${len} bytes`, {
      where: { virtual: addressOf(dentry) },
    });
  }
  return kernel.memory.cstring(kernel.memory.u64(memberAddress(dentry, 'd_name.name')), len);
}

/** d_op->d_dname of pipefs and sockfs, for dentries that have no name of their own. */
function inventedName(kernel: FileKernel, dentry: KernelObject): string | undefined {
  if (dentry.d_name.len !== 0 || dentry.d_inode === null) return undefined;
  const system = fileSystemName(kernel, dentry);
  if (system !== 'pipefs' && system !== 'sockfs') return undefined;
  return `${system === 'pipefs' ? 'pipe' : 'socket'}:[${dentry.d_inode.i_ino}]`;
}

function fileSystemName(kernel: FileKernel, dentry: KernelObject): string {
  const type = follow(follow(dentry, 'd_sb'), 's_type');
  return kernel.memory.cstring(kernel.memory.u64(memberAddress(type, 'name')), maxName);
}

/** The highest four bits of i_mode (S_IFMT), include/uapi/linux/stat.h, with crash's words. */
const fileTypes: Readonly<Record<number, string>> = {
  1: 'FIFO',
  2: 'CHR',
  4: 'DIR',
  6: 'BLK',
  8: 'REG',
  10: 'LNK',
  12: 'SOCK',
};

/** REG DIR CHR BLK LNK FIFO SOCK; UNKN for inodes without a type, as those of anon_inodefs. */
export function fileType(inode: KernelObject): string {
  return fileTypes[(inode.i_mode as number) >> 12] ?? 'UNKN';
}

/** Pages of an address_space that are in the page cache. */
export function cachedPages(mapping: KernelObject): number {
  return Number(mapping.nrpages);
}

/**
 * The struct pages of an address_space that are in the page cache. What cannot be read is left out
 * and told.
 */
export function* pageCache(
  kernel: FileKernel,
  mapping: KernelObject,
  onProblem: (problem: DumpError) => void,
): Generator<bigint> {
  // Since v4.17 (b93b016313b3 "page cache: use xa_lock"); before, `page_tree`.
  const tree = hasMember(mapping, 'i_pages') ? 'i_pages' : 'page_tree';
  const head = headOf(kernel, memberAddress(mapping, tree));
  for (const { entry } of walkXarray(kernel, head, onProblem)) {
    // The lowest bit marks a shadow: what is known of a page that was put out of memory.
    if ((entry & 1n) === 0n) yield entry;
  }
}

export interface TaskRoots {
  readonly root: string;
  readonly cwd: string;
}

/** Root and working directory; undefined for a task that has none (any more). */
export function taskRoots(kernel: FileKernel, task: KernelObject): TaskRoots | undefined {
  const fs = task.fs as KernelObject | null;
  if (fs === null) return undefined;
  return { root: pathOf(kernel, fs.root), cwd: pathOf(kernel, fs.pwd) };
}

/** The inode of an open file. Newest first: f_inode is there since v3.9. */
export function inodeOf(file: KernelObject): KernelObject {
  return hasMember(file, 'f_inode') ? follow(file, 'f_inode') : follow(dentryOf(file), 'd_inode');
}

export function dentryOf(file: KernelObject): KernelObject {
  return follow(file.f_path, 'dentry');
}
