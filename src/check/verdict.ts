/**
 * How whole a dump is, in one word and one line: what a support engineer decides by whether to open
 * it, to ask for another one, or to repair it.
 */

import { plural } from '../bytes/text.ts';
import type { Finding } from '../dump/inspection.ts';
import type { Dump } from '../dump/types.ts';
import { type Census, pagesOf } from './census.ts';
import { levelNames } from './info.ts';
import type { KernelPart, PartName } from './kernel-parts.ts';

/**
 * `whole`: every page of memory; `filtered`: every page that its level keeps; `incomplete`: pages
 * are missing that should be there, as the file says itself or by its cut end; `damaged`: bytes
 * that contradict themselves. Damage weighs more.
 */
export const verdictNames = ['whole', 'filtered', 'incomplete', 'damaged'] as const;
export type VerdictName = (typeof verdictNames)[number];

export interface Verdict {
  readonly name: VerdictName;
  /** Without the name: `81 % of the pages; log, tasks and backtraces can be read`. */
  readonly text: string;
}

export interface Judged {
  readonly dump: Dump;
  readonly census: Census;
  readonly findings: readonly Finding[];
  /** undefined where there is no way into the kernel. */
  readonly parts: readonly KernelPart[] | undefined;
  /** Pages of RAM, where the kernel tells it. */
  readonly ramPages: number | undefined;
  /** LKCD: by its header. */
  readonly promisedPages: number | undefined;
}

/** What should be there, the kernel knows; of LKCD the header tells as well. */
const withoutPageList: ReadonlySet<string> = new Set(['lime', 'lkcd', 'raw']);

export function verdictOf(judged: Judged): Verdict {
  const name = nameOf(judged);
  const { dump, parts } = judged;
  const cause = causeOf(name, judged);
  const kernel = dump.architecture === 'x86_64' ? [readableText(parts)] : [];
  return { name, text: [...cause, pagesText(name, judged), ...kernel].join('; ') };
}

function nameOf({ dump, census, findings, ramPages = 0 }: Judged): VerdictName {
  const { counts } = census;
  const has = (kind: Finding['kind']): boolean => findings.some((each) => each.kind === kind);
  if (counts.damaged > 0 || has('damage')) return 'damaged';
  if (counts.missing > 0 || dump.incomplete !== undefined || has('cut')) return 'incomplete';
  if (pagesOf(counts) === 0) return 'incomplete';
  // It does not say that pages were left out, but there are more.
  const isPart = withoutPageList.has(dump.format) && pagesOf(counts) < ramPages;
  return counts.excluded > 0 || isPart ? 'filtered' : 'whole';
}

function causeOf(name: VerdictName, { dump, census, findings }: Judged): string[] {
  const { damaged } = census.counts;
  switch (name) {
    case 'whole':
      return [];
    case 'filtered': {
      const names = levelNames(dump.level ?? 0).join(', ');
      return [dump.level === undefined ? 'by an unknown level' : `level ${dump.level} (${names})`];
    }
    case 'incomplete': {
      const cut = findings.find(({ kind }) => kind === 'cut');
      return [dump.incomplete ?? cut?.message ?? 'there is not one page'];
    }
    case 'damaged': {
      const first = findings.find(({ kind }) => kind === 'damage');
      const pages = damaged > 0 ? [`${plural(damaged, 'page')} cannot be decoded`] : [];
      const also = dump.incomplete === undefined ? [] : [dump.incomplete];
      return [...pages, ...(first === undefined ? [] : [first.message]), ...also];
    }
  }
}

/** `15388 of 32768 pages are in the file, all of them decoded`. */
function pagesText(name: VerdictName, judged: Judged): string {
  const { dump, census, ramPages = 0, promisedPages = 0 } = judged;
  const { counts, decoded } = census;
  const there = counts.stored + counts.zero;
  const known = pagesOf(counts);
  const isListed = !withoutPageList.has(dump.format);
  const isCut = name === 'incomplete' || name === 'damaged';
  const said = isCut && promisedPages > known ? promisedPages : ramPages;
  const all = isListed ? known : Math.max(known, said);
  const how = decoded > 0 || there === 0 ? '' : ', none of them decoded';
  if (!isListed && isCut && all === there) return `${there} pages, of nobody knows how many`;
  if (there === all && all > 0) return `all ${all} pages${how}`;
  if (!isListed && !isCut) return `${there} of ${all} pages${how}`;
  const due = all - counts.excluded;
  const left = counts.excluded > 0 ? ` (${counts.excluded} left out)` : '';
  if (there >= due) return `${there} of ${all} pages${left}${how}`;
  return `${percentOf(there, due)} of the pages that should be there${left}${how}`;
}

/** Never `100 %` of what is not all, nor `0 %` of what is not nothing. */
export function percentOf(part: number, all: number): string {
  if (all === 0) return '0 %';
  const share = (part * 100) / all;
  if (share > 99 && part < all) return `${(Math.floor(share * 100) / 100).toFixed(2)} %`;
  if (share < 1 && part > 0) return `${Math.max(0.01, share).toFixed(2)} %`;
  return `${Math.round(share)} %`;
}

function readableText(parts: readonly KernelPart[] | undefined): string {
  if (parts === undefined) return 'nothing of the kernel can be read';
  const part = (name: PartName): KernelPart => parts.find((each) => each.name === name)!;
  const subjects = [
    ['log', part('log records')],
    ['tasks', part('tasks')],
    ['backtraces', part('kernel stacks')],
    ['modules', part('modules')],
  ] as const;
  const whole = subjects.filter(([, { readable, lost }]) => readable > 0 && lost === 0);
  const partly = subjects.filter(([, { readable, lost }]) => readable > 0 && lost !== 0);
  const none = subjects.filter(([, { readable }]) => readable === 0);
  const said = [
    ...(whole.length > 0 ? [`${joined(whole)} can be read`] : []),
    ...partly.map(([name, { readable, lost }]) => {
      return `${name}: ${readable} of ${lost === undefined ? '?' : readable + lost}`;
    }),
    ...(none.length > 0 ? [`${joined(none)} cannot`] : []),
  ];
  const isNone = whole.length + partly.length === 0;
  return isNone ? `none of ${joined(none)} can be read` : said.join(', ');
}

function joined(subjects: readonly (readonly [name: string, part: KernelPart])[]): string {
  const names = subjects.map(([name]) => name);
  const last = names.pop()!;
  return names.length === 0 ? last : `${names.join(', ')} and ${last}`;
}
