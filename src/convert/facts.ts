/** What a dump says that a format has no place for. */

import { plural } from '../bytes/text.ts';
import { NT_PRSTATUS } from '../dump/notes.ts';
import type { Dump, ElfNote, PageState } from '../dump/types.ts';
import type { Fact, Writer } from '../dump/writers.ts';

/** A fact of the file's own; `incomplete`: that it is not whole. */
export type LostFact = Fact | 'incomplete';

export interface Loss {
  readonly fact: LostFact;
  /** In words: `5 notes (4 NT_PRSTATUS, VMCOREINFO)`. */
  readonly what: string;
}

/** What is written of the dump, once the level that was asked for is applied as well. */
export interface Filtered {
  readonly level: number;
  readonly image: Pick<Dump, 'runs'>;
}

/** They have no flag for it; a partition's says that the disk was too small. */
const withoutFlag = new Set(['diskdump-partition', 'lime', 'raw']);
/** General registers of the CPUs, and VMCOREINFO, have places of their own there. */
const withRegisters = new Set(['lkcd', 'diskdump', 'diskdump-partition']);

/**
 * What of this dump is not in a file that the writer makes. What can be found in the memory again
 * is a loss as well: the file does not say it any more.
 */
export function lossesOf(
  dump: Dump,
  { name, lacks }: Pick<Writer, 'name' | 'lacks'>,
  filtered: Filtered = { level: dump.level ?? 0, image: dump },
): Loss[] {
  const said: readonly (readonly [fact: LostFact, what: string | undefined])[] = [
    ['notes', notesLost(dump, name)],
    ['uts', dump.uts && `the system's names (${dump.uts.nodename}, ${dump.uts.release})`],
    ['time', dump.time === undefined ? undefined : `the time (${isoTime(dump.time)})`],
    ['panic', dump.panic && 'the task that panicked'],
    ['message', dump.panic?.message ? `the panic message (${dump.panic.message})` : undefined],
    ['level', filtered.level ? `the filter level (${filtered.level})` : undefined],
    [
      'excluded',
      pagesLost(filtered.image, 'excluded', (pages) => `that a filter left out ${pages}`),
    ],
    [
      'missing',
      pagesLost(filtered.image, 'missing', (pages) => `that ${pages} are not there, not zero`),
    ],
    ['incomplete', dump.incomplete && `that it is not whole: ${dump.incomplete}`],
  ];
  return said.flatMap(([fact, what]) => {
    const lacking = fact === 'incomplete' ? withoutFlag.has(name) : lacks.includes(fact);
    // A format that lacks the whole of it lacks its message as well.
    const isImplied = fact === 'message' && lacks.includes('panic');
    return what !== undefined && lacking && !isImplied ? [{ fact, what }] : [];
  });
}

function notesLost({ notes, cpus }: Dump, format: string): string | undefined {
  const lost = withRegisters.has(format) ? notes.filter((note) => !hasPlace(note)) : notes;
  const rest = withRegisters.has(format) && notes.some(isRegisters) ? 'fs and gs of the CPUs' : '';
  if (lost.length === 0) {
    if (notes.length > 0) return rest || undefined;
    return cpus.length === 0 || withRegisters.has(format)
      ? undefined
      : `the registers of ${plural(cpus.length, 'CPU')}`;
  }
  const kinds = new Map<string, number>();
  for (const note of lost) {
    const kind = isRegisters(note) ? 'registers' : note.name;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const list = [...kinds].map(([kind, count]) => (count === 1 ? kind : `${count} ${kind}`));
  const also = rest === '' ? '' : `; ${rest}`;
  return `${plural(lost.length, 'note')} (${list.join(', ')})${also}`;
}

function isRegisters({ name, type }: ElfNote): boolean {
  return name === 'CORE' && type === NT_PRSTATUS;
}

function hasPlace(note: ElfNote): boolean {
  return isRegisters(note) || note.name === 'VMCOREINFO';
}

function pagesLost(
  image: Filtered['image'],
  wanted: PageState,
  meaning: (pages: string) => string,
): string | undefined {
  let pages = 0;
  for (const { first, end, state } of image.runs()) if (state === wanted) pages += end - first;
  return pages === 0 ? undefined : meaning(plural(pages, 'page'));
}

/** `2025-11-22 17:36:02 UTC`. */
export function isoTime(seconds: number): string {
  const milliseconds = Math.floor(seconds) * 1000;
  // What no calendar has is a damaged header's.
  if (!(Math.abs(milliseconds) <= 8.64e15)) return `${seconds} s`;
  return `${new Date(milliseconds).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
