/**
 * What of a kernel's text is really executed on a path: byte ranges by function, recorded from a
 * real guest. A changed byte outside of them has no effect. Offsets are from the function's symbol,
 * so that they hold wherever the kernel was loaded; they belong to one build of it.
 */

import { DumpError } from '../bytes/errors.ts';
import type { Kernel } from '../linux/kernel.ts';

/** Byte offsets from the symbol, end exclusive. */
export type CodeRange = readonly [start: number, end: number];

export interface FunctionFootprint {
  readonly function: string;
  readonly ranges: readonly CodeRange[];
}

export type PathRole = 'panicking CPU' | 'other CPU' | 'caller' | 'worker' | 'interrupt';

interface PathPart {
  readonly role: PathRole;
  /** In order; each is named by the function that it begins with. */
  readonly stages: readonly {
    readonly stage: string;
    readonly functions: readonly FunctionFootprint[];
  }[];
}

/** Plain data: footprints.json. */
export interface Footprints {
  readonly kernel: { readonly release: string; readonly buildId: string };
  readonly paths: readonly { readonly name: string; readonly cpus: readonly PathPart[] }[];
}

/**
 * A stage of a path: all of it, or a part of it: from one of its functions on, before another one.
 */
export interface PathStage {
  readonly path: string;
  readonly role: PathRole;
  readonly stage: string;
  readonly part?: 'first' | 'others';
  readonly until?: string;
  readonly from?: string;
}

/** A kernel function is shorter. */
const maxOffset = 1 << 20;

/** The content of a footprints.json; DumpError `corrupt` where it is not one. */
export function parseFootprints(json: unknown): Footprints {
  const found = json as Footprints;
  textOf(found?.kernel?.buildId, 'kernel.buildId');
  textOf(found.kernel.release, 'kernel.release');
  for (const path of listOf(found.paths, 'paths')) {
    const name = textOf(path.name, 'name of a path');
    for (const part of listOf(path.cpus, `cpus of ${name}`)) {
      for (const { stage, functions } of listOf(part.stages, `stages of ${name}`)) {
        textOf(stage, `name of a stage of ${name}`);
        for (const code of listOf(functions, `functions of ${stage}`)) {
          textOf(code.function, `name of a function of ${stage}`);
          const bad = listOf(code.ranges, `ranges of ${code.function}`).find(
            (range) => !isRange(range),
          );
          if (bad !== undefined) corrupt(`range of ${code.function}`);
        }
      }
    }
  }
  return found;
}

/** Do the footprints belong to this kernel? By build ID; kernels before v5.11 do not say theirs. */
export function isOfKernel({ kernel: recorded }: Footprints, { vmcoreinfo }: Kernel): boolean {
  const buildId = vmcoreinfo.text('BUILD-ID');
  if (buildId !== undefined) return buildId === recorded.buildId;
  return vmcoreinfo.text('OSRELEASE') === recorded.release;
}

/** The functions of a stage; undefined where it was not recorded. */
export function footprintOf(
  { paths }: Footprints,
  { path, role, stage, part: which, until, from }: PathStage,
): readonly FunctionFootprint[] | undefined {
  const parts = paths.find(({ name }) => name === path)?.cpus;
  const part = parts?.find((candidate) => candidate.role === role);
  const functions = part?.stages.find((candidate) => candidate.stage === stage)?.functions;
  if (functions !== undefined && (from !== undefined || until !== undefined)) {
    const start = functions.findIndex(({ function: name }) => name === (from ?? name));
    if (start < 0) return undefined;
    const end = functions.findIndex(({ function: name }, at) => at >= start && name === until);
    return functions.slice(start, end < 0 ? undefined : end);
  }
  if (which === undefined) return functions;
  return which === 'first' ? functions?.slice(0, 1) : functions?.slice(1);
}

function listOf<T>(value: readonly T[] | undefined, what: string): readonly T[] {
  return Array.isArray(value) ? value : corrupt(what);
}

function textOf(value: string | undefined, what: string): string {
  return typeof value === 'string' ? value : corrupt(what);
}

function isRange(range: CodeRange): boolean {
  if (!Array.isArray(range) || range.length !== 2) return false;
  const [start, end] = range;
  const isInside = start >= 0 && start < end && end <= maxOffset;
  return Number.isInteger(start) && Number.isInteger(end) && isInside;
}

function corrupt(what: string): never {
  throw new DumpError('corrupt', `footprints: there is no valid ${what}`);
}
