/** What `files` says of one dentry, or of the pages of one inode: of no task. */

import { DumpError } from '../bytes/errors.ts';
import { hex16, jsonAddress, plural, printable } from '../bytes/text.ts';
import { cachedPages, dentryPath, fileType, pageCache } from '../linux/files.ts';
import type { Kernel } from '../linux/kernel.ts';
import { addressOf, follow, type KernelObject } from '../linux/objects.ts';
import { type PageFrame, PageFrames } from '../linux/page-frame.ts';
import type { Answer } from './command.ts';
import { Gaps } from './gaps.ts';
import { hexOrAddress } from './numbers.ts';
import { frameJson, frameLine, frameTitle } from './page-frame-text.ts';

/** One dentry by its address. Its path is that within its file system: a dentry has no mount. */
export function oneDentry(kernel: Kernel, word: string, words: readonly string[]): Answer {
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

interface CachedPage {
  readonly frame: PageFrame;
  readonly physical: bigint;
}

/** The pages of an inode that are in the page cache. */
export function oneInode(kernel: Kernel, word: string, words: readonly string[]): Answer {
  if (words.length > 0) throw new DumpError('usage', '--inode takes one address and no task');
  const address = hexOrAddress(kernel, word);
  const mapping = follow(kernel.object('struct inode', address), 'i_mapping');
  const count = cachedPages(mapping);
  const gaps = new Gaps();
  const frames = new PageFrames(kernel);
  const pages: CachedPage[] = [];
  for (const page of pageCache(kernel, mapping, (problem) => gaps.add('pages', problem))) {
    const found = gaps.attempt('struct pages', () => frameAt(frames, page));
    if (found !== undefined) pages.push(found);
  }
  return {
    json: () => ({
      tasks: [],
      dentry: null,
      inode: {
        inode: jsonAddress(address),
        cachedPages: count,
        pages: pages.map(({ frame, physical }) => ({
          ...frameJson(frame),
          physical: jsonAddress(physical),
        })),
      },
    }),
    *text() {
      yield '     INODE        NRPAGES';
      yield `${hex16(address)} ${String(count).padStart(8)}`;
      if (pages.length === 0) return;
      yield '';
      yield frameTitle;
      for (const { frame, physical } of pages) yield frameLine(frame, physical);
    },
    counted: plural(pages.length, 'page'),
    missing: gaps.missing,
    errors: gaps.errors,
  };
}

function frameAt(frames: PageFrames, page: bigint): CachedPage {
  const pfn = frames.pfnOf(page);
  if (pfn === undefined) {
    throw new DumpError('corrupt', 'the page cache leads to what is no struct page', {
      where: { virtual: page },
    });
  }
  return { frame: frames.frame(pfn), physical: BigInt(pfn) * 4096n };
}
