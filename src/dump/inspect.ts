/** Inspects a file of any format; only the one that it is of is loaded. */

import type { Source } from '../bytes/source.ts';
import { formats } from './formats.ts';
import { type Depth, type Inspection, Inspector } from './inspection.ts';

type Inspect = (inspector: Inspector, depth: Depth) => void;

const inspectors: Readonly<Record<string, () => Promise<Inspect>>> = {
  kdump: async () => (await import('./kdump/inspect.ts')).inspectKdump,
  elf: async () => (await import('./elf/inspect.ts')).inspectElf,
  lkcd: async () => (await import('./lkcd/inspect.ts')).inspectLkcd,
  mkdump: async () => (await import('./mkdump/inspect.ts')).inspectMkdump,
  lime: async () => (await import('./lime/inspect.ts')).inspectLime,
  diskdump: async () => (await import('./diskdump/inspect.ts')).inspectDiskdump,
};

/**
 * Never throws a DumpError: what cannot be read is a finding. `format`: of a file that does not say
 * what it is. Formats without headers of their own have nothing to tell.
 */
export async function inspectFile(
  source: Source,
  depth: Depth,
  format?: string,
): Promise<Inspection> {
  const inspector = new Inspector(source);
  const name = format ?? formats.find(({ detect }) => detect(source))?.name ?? '';
  if (name === 'flattened') {
    const { inspectFlattened } = await import('./flattened/inspect.ts');
    const inner = inspectFlattened(inspector);
    if (inner === undefined) return inspector;
    const of = formats.find(({ detect }) => detect(inner))?.name ?? '';
    const within = new Inspector(inner);
    (await inspectors[of]?.())?.(within, depth);
    return {
      details: [...within.details, ...inspector.details],
      findings: [...inspector.findings, ...within.findings],
      more: inspector.more + within.more,
      promisedPages: within.promisedPages,
    };
  }
  (await inspectors[name]?.())?.(inspector, depth);
  return inspector;
}
