/**
 * How whole a dump is: its pages, its structure, its kernel. Nothing here throws for what is wrong
 * with the dump: finding that out is the task.
 */

import { attempt, type DumpError } from '../bytes/errors.ts';
import type { Finding, Inspection } from '../dump/inspection.ts';
import type { Dump, PageRun } from '../dump/types.ts';
import { type Kernel, openKernel } from '../linux/kernel.ts';
import { presentPages } from '../linux/system.ts';
import { type Census, type CensusOptions, censusOf } from './census.ts';
import type { CrossCheck } from './cross-check.ts';
import { type KernelPart, kernelParts } from './kernel-parts.ts';
import { type ClassName, type ClassOf, classesOf, unknownClass } from './reasons.ts';
import { type Verdict, verdictOf } from './verdict.ts';

export interface CheckReport {
  readonly description: string;
  readonly pageSize: number;
  readonly endPfn: number;
  readonly level: number | undefined;
  readonly census: Census;
  /** Excluded pages by what their struct pages say that they were. */
  readonly excludedAs: readonly { readonly name: ClassName; readonly count: number }[];
  readonly findings: readonly Finding[];
  readonly moreFindings: number;
  /** undefined where there is no way into the kernel. */
  readonly parts: readonly KernelPart[] | undefined;
  /** Why not. */
  readonly kernelProblem: DumpError | undefined;
  /** Of pages that a second decoder has read as well. */
  readonly crossCheck: CrossCheck | undefined;
  readonly verdict: Verdict;
}

export interface CheckOptions extends CensusOptions {
  readonly inspection: Inspection;
  readonly crossCheck: CrossCheck | undefined;
}

export function checkDump(dump: Dump, options: CheckOptions): CheckReport {
  const { inspection, crossCheck } = options;
  const census = censusOf(dump, options);
  let kernelProblem: DumpError | undefined;
  const kernel = attempt(
    () => openKernel(dump),
    (problem) => {
      kernelProblem = problem;
    },
  );
  const classOf = kernel === undefined ? unknownClass : classesOf(dump, kernel, census.runs);
  const parts = kernel && kernelParts({ dump, kernel, runs: census.runs, classOf });
  const findings = findingsOf(dump, inspection, census, crossCheck);
  const { promisedPages } = inspection;
  const ramPages = kernel && attempt(() => ramPagesOf(kernel));
  return {
    description: dump.description,
    pageSize: dump.pageSize,
    endPfn: dump.endPfn,
    level: dump.level,
    census,
    excludedAs: excludedBy(census.runs, classOf),
    findings,
    moreFindings: inspection.more,
    parts,
    kernelProblem,
    crossCheck,
    verdict: verdictOf({ dump, census, findings, parts, ramPages, promisedPages }),
  };
}

/** Needs BTF; a machine with memory that the kernel does not manage has more. */
function ramPagesOf(kernel: Kernel): number {
  return presentPages(kernel);
}

/** What readers say in words only, where no inspection has said it with its place. */
function findingsOf(
  dump: Dump,
  { findings }: Inspection,
  { problems }: Census,
  crossCheck: CrossCheck | undefined,
): Finding[] {
  const all = [...findings];
  const isCut = findings.some(({ kind }) => kind !== 'remark');
  if (dump.incomplete !== undefined && !isCut) {
    all.push({ kind: 'cut', message: dump.incomplete, where: { file: dump.name } });
  }
  const said = new Set(findings.map(({ where }) => where.pfn));
  for (const { code, message, where } of problems) {
    if (said.has(where.pfn)) continue;
    const kind = code === 'truncated' || code === 'absent' ? 'cut' : 'damage';
    all.push({ kind, message, where });
  }
  for (const { message, where } of crossCheck?.differences ?? []) {
    all.push({ kind: 'damage', message, where });
  }
  return all;
}

function excludedBy(runs: readonly PageRun[], classOf: ClassOf): CheckReport['excludedAs'] {
  const counts = new Map<ClassName, number>();
  for (const { first, end, state } of runs) {
    for (let pfn = first; state === 'excluded' && pfn < end; pfn++) {
      const name = classOf(pfn);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  const all = [...counts].map(([name, count]) => ({ name, count }));
  return all.sort((one, other) => other.count - one.count);
}
