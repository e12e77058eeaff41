/** Finds the recipes, makes their files, and says in text what a dump is. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { type DumpError, describeWhere } from '../../src/bytes/errors.ts';
import { hex16 } from '../../src/bytes/text.ts';
import { createCodecs } from '../../src/codec/codecs.ts';
import type { Codecs } from '../../src/codec/types.ts';
import type { CpuState, Dump, Page } from '../../src/dump/types.ts';
import { nodeZlib } from '../../src/host/zlib.ts';
import { makeDump } from './maker.ts';

export interface Recipe {
  /** The situation. */
  readonly name: string;
  readonly text: string;
}

export const recipeFiles = readdirSync(new URL('.', import.meta.url))
  .filter((name) => name.endsWith('.recipes'))
  .map((name) => name.replace('.recipes', ''))
  .sort();

export function recipesOf(file: string): Recipe[] {
  const text = readFileSync(new URL(`${file}.recipes`, import.meta.url), 'utf8');
  return [...text.matchAll(/^\[(.+)\]\n([^[]+)/gm)].map((match) => ({
    name: match[1]!,
    text: match[2]!,
  }));
}

export async function preparedCodecs(): Promise<Codecs> {
  const codecs = createCodecs(nodeZlib);
  await codecs.prepare('zstd');
  await codecs.prepare('snappy');
  return codecs;
}

export function fileOf(recipe: Recipe, codecs: Codecs): Uint8Array {
  return makeDump(recipe.text, (name, page) => {
    const packed = codecs.get(name).compress(page);
    if (packed === undefined) throw new Error(`a page that ${name} does not shrink`);
    return packed;
  });
}

/** Everything that a Dump says, as lines. */
export function describeDump(dump: Dump): string[] {
  const lines = [`${dump.format}: ${dump.description}`];
  const say = (name: string, value: unknown): void => {
    if (value !== undefined) lines.push(`  ${name}: ${value}`);
  };
  // First, while only headers are read.
  say('release', dump.uts?.release);
  say('time', dump.time);
  say('level', dump.level);
  if (dump.panic !== undefined) say('panic', `${dump.panic.message} ${hex16(dump.panic.task)}`);
  say('vmcoreinfo', dump.vmcoreinfo && JSON.stringify(dump.vmcoreinfo));
  say('notes', dump.notes.map(({ name, type }) => `${name}/${type}`).join(' ') || undefined);
  for (const cpu of dump.cpus) say('cpu', describeCpu(cpu));
  const pages: string[] = [];
  for (const { first, end, state } of dump.runs()) {
    pages.push(`  0x${first.toString(16)}-0x${(end - 1).toString(16)}: ${state}`);
    if (state !== 'stored' && state !== 'zero') continue;
    for (let pfn = first; pfn < end; pfn++) pages.push(`    ${describePage(dump.readPage(pfn))}`);
  }
  say('incomplete', dump.incomplete);
  return [...lines, ...pages];
}

function describeCpu({ source, index, registers, ...rest }: CpuState): string {
  const extra = [
    rest.pid === undefined ? '' : `pid ${rest.pid}`,
    rest.control === undefined ? '' : `cr3 ${hex16(rest.control.cr3)}`,
    rest.task === undefined ? '' : `task ${hex16(rest.task)}`,
  ].filter((text) => text !== '');
  const { rip, rsp } = registers;
  return [`${source} ${index}`, `rip ${hex16(rip)}`, `rsp ${hex16(rsp)}`, ...extra].join(', ');
}

function describePage({ state, bytes, present, problem }: Page): string {
  if (bytes === undefined) {
    return problem === undefined ? state : `${state}: ${describeError(problem)}`;
  }
  const edge = present === undefined ? '' : `, only ${present.start}-${present.end} is there`;
  const [value] = bytes.subarray(present?.start ?? 0);
  const part = bytes.subarray(present?.start ?? 0, present?.end ?? bytes.length);
  const content = part.every((byte) => byte === value)
    ? `0x${value!.toString(16)} * ${part.length}`
    : `sha256 ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;
  return `${state}: ${content}${edge}`;
}

export function describeError({ code, message, where, hint }: DumpError): string {
  const parts = [`${code}: ${message}`, `at ${describeWhere(where)}`];
  if (hint !== undefined) parts.push(`hint: ${hint}`);
  return parts.join('; ');
}
